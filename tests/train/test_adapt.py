import json
from pathlib import Path

import numpy as np
import pytest

from edge.model.adapter import Adapter, AdapterSettings, normalisation


def voice(mean: float, spread: float, seed: int = 0, time: int = 400) -> np.ndarray:
    return (mean + spread * np.random.default_rng(seed).standard_normal((time, 3))).astype(np.float32)


def test_a_fresh_adapter_changes_nothing() -> None:
    frames = voice(2, 3)
    np.testing.assert_array_equal(Adapter(3).apply(frames), frames)


def test_a_long_history_takes_the_usual_voice_out() -> None:
    adapter = Adapter(3, settings=AdapterSettings(prior=4, memory=1000))
    for seed in range(500):
        adapter.observe(voice(2, 3, seed))
    adapted = adapter.apply(voice(2, 3, seed=999, time=4000))
    assert np.abs(adapted.mean()) < 0.1
    assert adapted.std() == pytest.approx(1, abs=0.05)


def test_applying_does_not_look_at_what_comes_later() -> None:
    adapter = Adapter(3)
    adapter.observe(voice(1, 1))
    before = adapter.apply(voice(5, 1))
    adapter.apply(voice(-100, 1))
    np.testing.assert_array_equal(adapter.apply(voice(5, 1)), before)


def test_one_outburst_weighs_one_utterance_however_long() -> None:
    short, long = Adapter(3), Adapter(3)
    for adapter, time in ((short, 100), (long, 10_000)):
        for seed in range(10):
            adapter.observe(voice(0, 1, seed))
        adapter.observe(np.full((time, 3), 8, np.float32))
    np.testing.assert_allclose(short.mean, long.mean, atol=1e-5)


def test_a_new_person_is_followed_after_the_memory_has_faded() -> None:
    adapter = Adapter(3, settings=AdapterSettings(prior=4, memory=20))
    for seed in range(300):
        adapter.observe(voice(3, 1, seed))
    for seed in range(60):
        adapter.observe(voice(-3, 1, seed))
    assert (adapter.mean < -2.5).all()


def test_training_draws_what_the_adapter_does() -> None:
    adapter = Adapter(3)
    heard = [voice(seed, 1 + seed, seed) for seed in range(5)]
    for frames in heard:
        adapter.observe(frames)
    mean = np.mean([frames.mean(axis=0) for frames in heard], axis=0)
    square = np.mean([np.square(frames).mean(axis=0) for frames in heard], axis=0)
    shift, scale = normalisation(np.full(1, 5, np.float32), mean, square, adapter.settings.prior)
    frames = voice(0, 1, 77)
    np.testing.assert_allclose(adapter.apply(frames), (frames - shift) / scale, atol=1e-4)


def test_a_saved_history_goes_on_where_it_was(tmp_path: Path) -> None:
    adapter, again = Adapter(3), Adapter(3)
    adapter.observe(voice(2, 1))
    adapter.save(tmp_path / "adapter.json", "sha256:abc")
    assert again.load(tmp_path / "adapter.json", "sha256:abc")
    np.testing.assert_allclose(again.apply(voice(1, 1)), adapter.apply(voice(1, 1)), atol=1e-4)
    assert again.utterances == 1


def test_another_bundle_starts_afresh(tmp_path: Path) -> None:
    adapter = Adapter(3)
    adapter.observe(voice(2, 1))
    adapter.save(tmp_path / "adapter.json", "sha256:abc")
    assert not adapter.load(tmp_path / "adapter.json", "sha256:other")
    assert adapter.weight == 0


@pytest.mark.parametrize(
    "damage",
    [
        "", "{}", "[]", "null", '{"format": 1',
        {"mean": [1.0]}, {"square": [None, 1, 1]}, {"mean": [float("nan")] * 3}, {"weight": -1}, {"weight": "many"},
    ],
)  # fmt: skip
def test_a_damaged_file_is_a_fresh_start(tmp_path: Path, damage: str | dict[str, object]) -> None:
    path = tmp_path / "adapter.json"
    adapter = Adapter(3)
    adapter.observe(voice(2, 1))
    adapter.save(path, "sha256:abc")
    path.write_text(damage if isinstance(damage, str) else json.dumps(json.loads(path.read_text()) | damage))
    assert not adapter.load(path, "sha256:abc")
    np.testing.assert_array_equal(adapter.apply(voice(1, 1)), voice(1, 1))
