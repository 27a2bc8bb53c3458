"""Measures the figures in the documentation. Everything runs on one thread: cores are not compared."""

import os

for _library in ("OMP", "OPENBLAS", "MKL", "NUMBA"):
    os.environ.setdefault(f"{_library}_NUM_THREADS", "1")  # before any of them is imported

import edge  # noqa: E402, F401 (before onnxruntime: it turns its telemetry off)
