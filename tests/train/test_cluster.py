"""Features over a real Dask cluster: a scheduler and two worker processes."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from dask.distributed import LocalCluster

from edge.errors import AffectdError, AudioError, UsageError
from train import cluster
from train.augmentation import CHANGES
from train.corpora import Clip, read_manifest
from train.recordings import features_of


@pytest.fixture(scope="module")
def workers() -> Iterator[LocalCluster]:
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as started:
        yield started


@pytest.fixture
def clips(corpus: Path) -> list[Clip]:
    return read_manifest(corpus / "manifest.csv")[::8]


@pytest.mark.parametrize("change", [None, "noise"])
def test_a_cluster_computes_what_one_machine_computes(
    workers: LocalCluster, corpus: Path, clips: list[Clip], tmp_path: Path, change: str | None
) -> None:
    named = (change, CHANGES[change]) if change else None
    alone = features_of(clips, corpus, tmp_path / "alone", change=named)
    together = features_of(clips, corpus, tmp_path / "together", change=named, dask=workers.scheduler_address)
    assert len(alone) == len(together) == 32
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)
    kept = [sorted(path.name for path in (tmp_path / name).rglob("*.npy")) for name in ("alone", "together")]
    assert kept[0] == kept[1]


def test_a_worker_says_which_recording_is_missing(workers: LocalCluster, corpus: Path, tmp_path: Path) -> None:
    gone = Clip("f1/gone.wav", "tones", "f1", "sad", sha256="0" * 64)
    with pytest.raises(AudioError, match=r"gone\.wav"):
        features_of([gone], corpus, tmp_path, dask=workers.scheduler_address)


def test_a_scheduler_without_workers_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "PATIENCE", 1.0)
    with (
        LocalCluster(n_workers=0, processes=False, dashboard_address=None, protocol="tcp") as idle,
        pytest.raises(UsageError, match="has no workers"),
    ):
        list(cluster.spread(str, [1], idle.scheduler_address))


def counted(number: int) -> int:
    return sum(range(10_000_000 + number))


def test_a_cluster_that_goes_away_is_one_sentence() -> None:
    with LocalCluster(n_workers=1, threads_per_worker=1, processes=True, dashboard_address=None) as doomed:
        results = cluster.spread(counted, range(100), doomed.scheduler_address)
        assert next(results)[1] > 0
        doomed.close()
        with pytest.raises(AffectdError, match="was lost before all was done"):
            list(results)


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nonsense://x"])
def test_a_scheduler_that_does_not_answer_is_one_sentence(corpus: Path, tmp_path: Path, address: str) -> None:
    config = tmp_path / "train.yaml"
    config.write_text("name: x\nsplit: {test: [tones/m2]}\n")
    command = [sys.executable, "-m", "train", "fit", "--config", config, "--root", corpus, "--cache", tmp_path]
    done = subprocess.run(
        [*map(str, command), "--out", str(tmp_path / "run"), "--dask", address],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert f"No Dask scheduler answers at {address}" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_dask_the_option_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dask.distributed", None)
    with pytest.raises(UsageError, match="pip install"):
        list(cluster.spread(str, [1], "tcp://127.0.0.1:1"))
