"""The examples that hear a recording without affectd say what affectd says."""

import shutil
import subprocess
import sys
import wave
from pathlib import Path

import pytest

from edge.audio import SAMPLE_RATE
from edge.model.bundle import Bundle
from edge.model.choice import LIGHT
from edge.sources.conversion import read_audio
from export import waveform
from export.waveform import parity
from tests.conftest import DEMO, ROOT
from tests.javascript import node

EXAMPLES = ROOT / "docs" / "examples"


@pytest.fixture(scope="module")
def case(tmp_path_factory) -> tuple[Path, Path, dict[str, float]]:
    """The light bundle's graphs, a recording, and what the device says of it."""
    folder = tmp_path_factory.mktemp("waveform")
    bundle, samples = Bundle.load(LIGHT), read_audio(DEMO)[: 3 * SAMPLE_RATE]
    waveform.write(bundle, folder / "graphs")
    with wave.open(str(folder / "speech.wav"), "wb") as file:
        file.setparams((1, 2, SAMPLE_RATE, 0, "NONE", ""))
        file.writeframes(samples.tobytes())
    return folder / "graphs", folder / "speech.wav", parity.heard(samples, bundle).probabilities


def said(printed: str) -> dict[str, float]:
    return {label: float(value) for label, value in (line.split() for line in printed.splitlines())}


def test_python(case):
    graphs, speech, wanted = case
    command = [sys.executable, EXAMPLES / "waveform.py", graphs, speech]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=240, cwd=graphs)
    assert said(done.stdout) == pytest.approx(wanted, abs=2e-3)


def test_javascript(case):
    graphs, speech, wanted = case
    assert said(node(EXAMPLES / "waveform.cjs", graphs, speech)) == pytest.approx(wanted, abs=2e-3)


def test_cpp_is_well_formed(tmp_path):
    """Against the declarations that it uses, as ONNX Runtime's header has them."""
    if shutil.which("g++") is None:
        pytest.skip("no g++")
    (tmp_path / "onnxruntime_cxx_api.h").write_text(DECLARATIONS)
    command = [
        "g++",
        "-std=c++17",
        "-Wall",
        "-Werror",
        "-fsyntax-only",
        f"-I{tmp_path}",
        str(EXAMPLES / "waveform.cpp"),
    ]
    subprocess.run(command, check=True, timeout=240)


DECLARATIONS = """
#include <cstddef>
#include <cstdint>
#include <vector>
enum OrtAllocatorType { OrtArenaAllocator = 1 };
enum OrtMemType { OrtMemTypeDefault = 0 };
struct OrtMemoryInfo;
namespace Ort {
struct Env { Env(); };
struct SessionOptions { SessionOptions(); };
struct RunOptions { RunOptions(); };
struct MemoryInfo {
  static MemoryInfo CreateCpu(OrtAllocatorType type, OrtMemType mem_type);
  operator OrtMemoryInfo*() const noexcept;
};
struct TensorTypeAndShapeInfo { size_t GetElementCount() const; };
struct Value {
  template <typename T>
  static Value CreateTensor(const OrtMemoryInfo* info, T* data, size_t count, const int64_t* shape, size_t length);
  template <typename T>
  const T* GetTensorData() const;
  TensorTypeAndShapeInfo GetTensorTypeAndShapeInfo() const;
};
struct Session {
  Session(const Env& env, const char* model_path, const SessionOptions& options);
  std::vector<Value> Run(const RunOptions& options, const char* const* input_names, const Value* input_values,
                         size_t input_count, const char* const* output_names, size_t output_count);
};
}
"""
