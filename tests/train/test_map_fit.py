"""The decoder of listenable maps: its sizes, what it learns from, and that a run goes on where it was left."""

from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch

from edge.audio import FULL_SCALE, SAMPLE_RATE
from edge.errors import UsageError
from edge.model.bundle import DEFAULT, Bundle
from edge.sources.conversion import read_audio
from tests.conftest import DEMO
from train.chain import Chain
from train.corpora import Clip
from train.map_fit import (
    Booth,
    FittedMap,
    MapFitSettings,
    batches,
    fit,
    load,
    losses,
    read_clips,
    report,
    save,
    trimmed,
    untrained,
)
from train.map_network import MapNetwork, MapSettings

CLIPS = [Clip(f"{place}.wav", "a", f"a_{place}", "anger" if place % 2 else "sad") for place in range(6)]
SETTINGS = MapFitSettings(
    copies={"plain": 1.0}, steps=6, batch=2, seconds=(0.5, 0.6), scored=2, saved=3, averaging=0.5, learning_rate=1e-2
)


@dataclass(frozen=True)
class Demonstration(Booth):
    """Stretches of the demonstration recording, in place of corpora."""

    def copy(self, clip: Clip, name: str, seed: int) -> np.ndarray:
        first = 20 + int(clip.path[0])
        return read_audio(DEMO)[first * SAMPLE_RATE : (first + 1) * SAMPLE_RATE].astype(np.float32) / FULL_SCALE

    def heard(self, clip: Clip, where: str, seed: int) -> np.ndarray:
        return self.copy(clip, where, seed)


BOOTH = Demonstration(Path(), Path(), Path())


@pytest.fixture(scope="module")
def chain() -> Chain:
    return Chain(Bundle.load(DEFAULT))


def test_a_decoder_is_small_enough():
    assert sum(parameter.numel() for parameter in MapNetwork(MapSettings()).parameters()) <= 500_000


@pytest.mark.parametrize("columns", [1, 2, 41, 42])
def test_a_mask_is_as_long_as_its_log_mel(columns):
    spectrum, speech = torch.rand(3, 80, columns), torch.rand(3, -(-columns // 2), 64)
    mask = MapNetwork(MapSettings())(spectrum, speech, torch.randn(3, 7))
    assert mask.shape == spectrum.shape
    assert ((mask >= 0) & (mask <= 1)).all()


def test_a_mask_does_not_depend_on_the_level():
    network = MapNetwork(MapSettings()).eval()
    spectrum, speech, logits = torch.rand(1, 80, 30), torch.rand(1, 15, 64), torch.randn(1, 7)
    with torch.inference_mode():
        assert torch.allclose(network(spectrum, speech, logits), network(spectrum - 0.5, speech, logits), atol=1e-5)


def test_silence_around_a_recording_is_left_out():
    sound = np.zeros(3 * SAMPLE_RATE, np.float32)
    sound[SAMPLE_RATE : 2 * SAMPLE_RATE] = 0.1
    assert len(trimmed(sound)) == pytest.approx(1.1 * SAMPLE_RATE, abs=320)
    assert len(trimmed(np.zeros(1000, np.float32))) == 1000


def test_a_batch_is_as_long_as_its_shortest_recording_and_drawn_by_its_number_alone():
    first, second, third = batches(replace_steps(3), CLIPS, BOOTH)
    assert all(0.5 * SAMPLE_RATE <= one.shape[1] <= 0.6 * SAMPLE_RATE for one in (first, second, third))
    (again,) = batches(replace_steps(3), CLIPS, BOOTH, done=2)
    assert torch.equal(third, again)
    assert first.shape != third.shape or not torch.equal(first, third)


def replace_steps(steps: int) -> MapFitSettings:
    return msgspec.structs.replace(SETTINGS, steps=steps)


def test_a_few_steps_keep_more_of_the_verdict_and_leave_less_of_it(chain, tmp_path):
    settings = msgspec.structs.replace(SETTINGS, steps=25, sparse=(0, 0), smooth=(0, 0))
    sounds = torch.stack([torch.from_numpy(BOOTH.copy(clip, "", 0)) for clip in CLIPS[:4]])
    network = fit(settings, chain, CLIPS, BOOTH, tmp_path / "last.pt")
    with torch.no_grad():
        before, _ = losses(settings, chain, untrained(chain), sounds, late=False)
        after, told = losses(settings, chain, network, sounds, late=False)
    assert after < before - 0.1
    assert told["kept"] > told["rest"] + 0.1


def test_a_run_that_was_cut_short_goes_on_as_if_it_had_not_been(chain, tmp_path):
    whole = fit(SETTINGS, chain, CLIPS, BOOTH, tmp_path / "whole.pt")

    class Cut(Demonstration):
        """Its tape ends in the fifth batch."""

        def copy(self, clip: Clip, name: str, seed: int) -> np.ndarray:
            calls.append(1)
            if len(calls) > 9:
                raise KeyboardInterrupt
            return super().copy(clip, name, seed)

    calls: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        fit(SETTINGS, chain, CLIPS, Cut(Path(), Path(), Path()), tmp_path / "last.pt")
    resumed = fit(SETTINGS, chain, CLIPS, BOOTH, tmp_path / "last.pt")
    for name, value in whole.state_dict().items():
        assert torch.allclose(value, resumed.state_dict()[name], atol=1e-6), name


def test_a_run_of_another_kind_is_not_gone_on_with(chain, tmp_path):
    (tmp_path / "last.pt").write_bytes(b"nonsense")
    with pytest.raises(UsageError, match="begin anew"):
        fit(SETTINGS, chain, CLIPS, BOOTH, tmp_path / "last.pt")


def test_scores_are_of_what_is_kept_and_what_is_left(chain):
    class Open(MapNetwork):
        def forward(self, spectrum, speech, logits):
            return torch.ones_like(spectrum)

    scores = report(SETTINGS, chain, Open(MapSettings()).eval(), CLIPS, BOOTH)
    for found in scores.values():
        assert found["drop"] == pytest.approx(0, abs=1e-3)
        assert found["gain"] == pytest.approx(0, abs=1e-3)
        assert found["fidelity"] == found["kept"] == 1
        assert found["faithfulness"] != 0


def test_speakers_whom_the_bundle_was_not_trained_on_train_no_map(tmp_path):
    bundle = Bundle.load(DEFAULT)
    split = bundle.manifest.card["training"]["split"]
    aside = [pattern.replace("*", "x").replace("[1-3]", "1") for pattern in (*split["test"], *split["calibration"])]
    people = [*aside, "ravdess/ravdess_01", "emodb/emodb_03"]
    rows = [f"{who}-{emotion}.wav,{who.replace('/', ',')},{emotion}" for who in people for emotion in ("calm", "sad")]
    rows.append("bored.wav,emodb,emodb_03,boredom")
    (tmp_path / "manifest.csv").write_text("\n".join(["path,corpus,speaker,emotion", *rows]))
    sides = read_clips(bundle, (tmp_path,))
    assert {clip.who for clip in sides.train} == {"ravdess/ravdess_01", "emodb/emodb_03"}
    assert {clip.emotion for clip in sides.train} == {"neutral", "sad"}
    assert len({clip.who for clip in sides.test}) == 4


def test_a_bundle_that_does_not_say_who_trained_it_gets_one_sentence(tmp_path):
    bundle = Bundle.load(DEFAULT)
    unsaid = replace(bundle, manifest=msgspec.structs.replace(bundle.manifest, card={}))
    with pytest.raises(UsageError, match="does not say who trained it"):
        read_clips(unsaid, (tmp_path,))


def test_what_is_kept_is_read_again_and_nothing_else(tmp_path):
    network = MapNetwork(MapSettings(speech=8))
    path = tmp_path / "map.pt"
    save(network, path, FittedMap(scores={}, bundle="sha256:0"))
    again, fitted = load(path)
    assert fitted.bundle == "sha256:0"
    assert torch.equal(again.first.weight, network.first.weight)
    path.write_bytes(b"nonsense")
    with pytest.raises(UsageError, match="python -m train maps"):
        load(path)
