"""The family that an encoder hears: aligned with the others, trained with them or frozen, and killed runs going on."""

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch

from edge import features
from edge.errors import AffectdError, ConfigError
from edge.features.log_mel import log_mel
from tests.train.conftest import SETTINGS, TINY, tiny_encoder
from tests.train.test_encoder import hugging_face
from train import batches, run
from train import fit as fitting
from train.bank import Bank
from train.checkpoint import Checkpoint, read_checkpoint
from train.encoder import Encoder
from train.fit import parameters
from train.run import Material
from train.settings import Settings, SpeechSettings, read_settings
from train.speech import Speech, columns_of, encoded, join, nearest

safetensors = pytest.importorskip("safetensors.torch", reason="safetensors is not installed")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "model.safetensors"
    safetensors.save_file(hugging_face(tiny_encoder()), path)
    torch.set_num_threads(1)
    return path


def hearing(weights: Path, trained: int, **changes: object) -> Settings:
    own = SpeechSettings(weights=str(weights), width=6, trained=trained, rate=0.1)
    network = {**SETTINGS.network, "statistics": True}
    return msgspec.structs.replace(SETTINGS, speech=own, network=network, epochs=3, **changes)


@pytest.fixture(scope="module")
def frozen(weights: Path, corpus: Path, folder: Path) -> Checkpoint:
    return run.run(hearing(weights, 0), Material(corpus, folder / "cache"), folder / "frozen")


@pytest.fixture(scope="module")
def tuned(weights: Path, corpus: Path, folder: Path) -> Checkpoint:
    return run.run(hearing(weights, 1), Material(corpus, folder / "cache"), folder / "tuned")


@pytest.mark.parametrize("samples", [1, 255, 256, 400, 16_000, 48_123])
def test_every_frame_goes_with_the_encoded_one_that_is_nearest_in_time(samples: int) -> None:
    sound = np.zeros(samples, np.float32)
    time, encoded_frames = len(features.frames(sound)), -(-log_mel(sound).shape[1] // 2)
    found = nearest(time, encoded_frames)
    distances = np.abs(np.arange(time)[:, None] * 256 - np.arange(encoded_frames) * 320)
    np.testing.assert_array_equal(distances[np.arange(time), found], distances.min(axis=1))
    np.testing.assert_array_equal(found, np.minimum((8 * np.arange(time) + 5) // 10, encoded_frames - 1))


def test_joined_columns_stand_behind_the_hand_made_ones() -> None:
    frames, own = np.zeros((10, 3), np.float32), np.arange(8, dtype=np.float32)[:, None]
    joined = join(frames, own)
    assert joined.shape == (10, 4)
    np.testing.assert_array_equal(joined[:, 3], [0, 1, 2, 2, 3, 4, 5, 6, 6, 7])


@pytest.mark.parametrize("trained", [0, 1, 2])
def test_frames_of_the_fixed_part_give_the_columns_that_log_mel_gives(trained: int) -> None:
    module = Speech(replace(TINY, trained=trained), 6).eval()
    spectrum = np.random.default_rng(1).normal(0, 0.5, (2345, 80)).astype(np.float32)
    (whole,) = columns_of(module, [spectrum])
    (cached,) = columns_of(module, [encoded(module.encoder.fixed(), spectrum)])
    assert whole.shape == (1173, 6)
    np.testing.assert_allclose(cached, whole, atol=2e-2)


@pytest.mark.parametrize("width", [80, 64])
def test_a_crop_of_the_sound_is_the_same_stretch_as_that_of_the_frames(width: int) -> None:
    """Frames and sound hold the time at which they are, in seconds."""
    lengths = (100, 250)
    pace = 1.6 if width == 80 else 0.8
    frames = [np.repeat(np.arange(n)[:, None] * 0.016, 110, axis=1).astype(np.float32) for n in lengths]
    sound = [np.repeat(np.arange(int(n * pace))[:, None] * 0.016 / pace, width, 1).astype(np.float16) for n in lengths]
    clips = [run.Clip(f"{n}.wav", "made", f"s{n}", "anger") for n in lengths]
    scaler = run.Scaler(np.zeros(110, np.float32), np.ones(110, np.float32))
    bank = Bank.build(clips, frames, scaler, ["anger"], sound)
    cut, heard = batches.crop(bank, np.array([0, 1] * 8), 50, 0.1, np.random.default_rng(1))
    assert heard.shape == (16, int(np.ceil(50 * pace)), width)
    places = nearest(50, heard.shape[1]) if width != 80 else np.minimum(np.round(np.arange(50) * pace).astype(int), 79)
    apart = np.abs(cut[:, :, 0] - heard[:, places, 0].astype(np.float32))
    assert np.quantile(apart, 0.9) < 0.03  # but for the seam where a clip is repeated


@pytest.mark.parametrize("kind", ["frozen", "tuned"])
def test_a_network_that_hears_with_an_encoder_learns(kind: str, request: pytest.FixtureRequest) -> None:
    checkpoint = request.getfixturevalue(kind)
    assert checkpoint.settings.speech == 6
    assert checkpoint.settings.inputs == 116
    assert len(checkpoint.scaler.mean) == 116
    assert checkpoint.card["scores"]["none"]["uar"] > 0.3


def test_a_frozen_encoder_stays_as_it_was_and_another_does_not(frozen: Checkpoint, tuned: Checkpoint) -> None:
    assert frozen.speech is not None
    assert tuned.speech is not None
    known = run.digest_of(tiny_encoder())
    assert run.digest_of(frozen.speech.module().encoder) == known
    moved = tuned.speech.module().encoder
    assert run.digest_of(moved) != known
    pretrained = Encoder(moved.settings)
    pretrained.load_state_dict(tiny_encoder().state_dict())
    assert run.digest_of(moved.fixed()) == run.digest_of(pretrained.fixed())


def test_more_trained_blocks_than_there_are_is_one_sentence(tmp_path: Path) -> None:
    config = tmp_path / "run.yaml"
    config.write_text("name: run\nspeech: {blocks: 2, trained: 3}\n")
    with pytest.raises(ConfigError, match=r"run\.yaml: more blocks would be trained than the encoder has"):
        read_settings(config)


def test_the_trained_blocks_have_a_rate_of_their_own(weights: Path) -> None:
    settings = hearing(weights, 1)
    module = run.Hearing(torch.nn.Linear(2, 2), run.speech_of(settings, None))  # type: ignore[arg-type]
    rates = [group["lr"] for group in parameters(module, settings)]
    assert rates == pytest.approx([settings.learning_rate, 0.1 * settings.learning_rate])


def test_a_checkpoint_holds_its_encoder(tuned: Checkpoint, folder: Path) -> None:
    again = read_checkpoint(folder / "tuned" / "checkpoint.pt")
    spectrum = np.random.default_rng(1).normal(0, 0.5, (50, 80)).astype(np.float32)
    assert again.speech is not None
    assert tuned.speech is not None
    (found,), (known,) = (columns_of(one.speech.module(), [spectrum]) for one in (again, tuned))
    np.testing.assert_array_equal(found, known)
    np.testing.assert_array_equal(again.hand_made.mean, again.scaler.mean[:110])


def test_a_killed_run_goes_on_where_it_was(
    tuned: Checkpoint, weights: Path, corpus: Path, folder: Path, tmp_path: Path
) -> None:
    settings = hearing(weights, 1)
    material = Material(corpus, folder / "cache")
    killed = AssertionError("killed")
    tell, told = fitting.tell, []

    def until_the_second(*arguments: object) -> None:
        tell(*arguments)  # type: ignore[arg-type]
        told.append(1)
        if len(told) == 2:
            raise killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fitting, "tell", until_the_second)
        with pytest.raises(AssertionError):
            run.run(settings, material, tmp_path / "killed")
    again = run.run(settings, material, tmp_path / "killed")
    for name, value in tuned.state.items():
        torch.testing.assert_close(again.state[name], value)


def test_one_that_begins_from_a_checkpoint_needs_no_weights(frozen: Checkpoint, corpus: Path, folder: Path) -> None:
    settings = hearing(Path("nowhere"), 1)
    start = folder / "frozen" / "checkpoint.pt"
    found = run.run(settings, Material(corpus, folder / "cache"), folder / "further", start)
    assert found.speech is not None


def test_no_weights_are_told_before_training(corpus: Path, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(AffectdError, match="no weights lie there"):
        run.run(hearing(tmp_path / "absent", 1), Material(corpus, folder / "cache"), tmp_path / "run")
    assert not (tmp_path / "run" / "checkpoint.pt").exists()


def test_a_network_without_an_encoder_learns_from_one_with(frozen: Checkpoint, corpus: Path, folder: Path) -> None:
    settings = msgspec.structs.replace(SETTINGS, teachers=str(folder / "frozen" / "checkpoint.pt"), epochs=3)
    found = run.run(settings, Material(corpus, folder / "cache"), folder / "light")
    assert found.speech is None
    assert found.settings.inputs == 110
    np.testing.assert_array_equal(found.scaler.mean, frozen.hand_made.mean)


def test_families_are_silenced_one_at_a_time() -> None:
    families = [*features.SIX.places.values(), slice(110, 116)]
    off = msgspec.structs.replace(SETTINGS.augmentation, time_masks=0, family_mask=1.0)
    frames = np.ones((400, 4, 110), np.float32)
    audible = batches.mask(frames, families, off, np.random.default_rng(1))
    silent = np.stack([~frames[:, 0, place].any(axis=1) for place in families[:-1]] + [audible == 0], axis=1)
    np.testing.assert_array_equal(silent.sum(axis=1), 1)
    assert (silent.sum(axis=0) > 30).all()


assert features.SPEECH not in features.SIX.families
