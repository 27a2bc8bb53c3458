"""The network that tells voices apart: what it takes from CAM++, how it learns, and what becomes of it in a bundle."""

from pathlib import Path

import numpy as np
import pytest
import torch

from edge.audio import SAMPLE_RATE
from edge.errors import BundleError, UsageError
from edge.model import voices
from edge.model.bundle import DEFAULT, Bundle
from edge.model.runtime import open_session
from edge.model.voices import VoiceThresholds
from export.voices import added, agreement, quantised
from train.corpora import Clip
from train.settings import SplitSettings
from train.voice_fit import FittedVoices, Lessons, VoiceFitSettings, batches, fit, load, read_clips, save
from train.voice_network import VoiceNetwork, bands_of_kaldi, load_published, published_name
from train.voice_teacher import kaldi_log_mel

SETTINGS = VoiceFitSettings(
    split=SplitSettings(), copies={"plain": 0.5, "far": 0.5}, steps=2, people=4, takes=2, frames=(20, 30)
)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file like CAM++'s, of random weights."""
    torch.manual_seed(1)
    whole = VoiceNetwork(paired=False)
    for name, value in whole.state_dict().items():
        if "running_var" in name:
            value.uniform_(0.5, 2)
        elif "running_mean" in name:
            value.normal_(0, 0.1)
    path = tmp_path_factory.mktemp("weights") / "campplus_cn_en_common.pt"
    torch.save({published_name(name, paired=False): value for name, value in whole.state_dict().items()}, path)
    return path


def spectra(count: int, seed: int = 1) -> list[np.ndarray]:
    generator = np.random.default_rng(seed)
    return [generator.normal(0.3, 0.3 * generator.random(80), (90, 80)).astype(np.float16) for _ in range(count)]


def lessons(count: int = 12) -> Lessons:
    generator = np.random.default_rng(2)
    said = generator.normal(size=(count, 192)).astype(np.float32)
    said /= np.linalg.norm(said, axis=1, keepdims=True)
    known = [generator.normal(size=(44, 384)).astype(np.float16) for _ in range(count)]
    copies = {"plain": spectra(count), "far": spectra(count, 2)}
    return Lessons(copies, known, said, np.arange(count) // 2, {"a": [0, 1, 2], "b": [3, 4, 5]})


def test_the_whole_network_is_that_of_the_file(published: Path) -> None:
    network = load_published(published, paired=False)
    kept = torch.load(published, weights_only=True)
    for name, value in network.state_dict().items():
        if "num_batches" not in name:
            assert torch.equal(value, kept[published_name(name, paired=False)])


def test_the_devices_form_sees_at_every_second_frame_what_the_published_one_sees(published: Path) -> None:
    """In the first convolution, and, of the same frames, in all that stands behind the first block."""
    whole, paired = load_published(published, paired=False).eval(), load_published(published, paired=True).eval()
    spectrum, frames = torch.randn(1, 1, 80, 60), torch.randn(1, 256, 80)
    pairs = torch.unflatten(spectrum[:, 0], 2, (-1, 2)).permute(0, 3, 1, 2)
    with torch.inference_mode():
        assert torch.allclose(whole.planes[0](spectrum)[..., ::2], paired.planes[0](pairs), atol=1e-4)
        assert torch.allclose(
            whole.blocks[1][0].mix(frames)[:, :, ::2], paired.blocks[1][0].mix(frames[:, :, ::2]), atol=1e-4
        )
        assert torch.allclose(
            whole.blocks[1][0].time(frames[:, :128])[:, :, ::2],
            paired.blocks[1][0].time(frames[:, :128, ::2]),
            atol=1e-4,
        )


@pytest.mark.parametrize("content", [b"", b"nonsense", None])
def test_what_is_no_file_of_weights_gets_one_sentence(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "weights.pt"
    if content is None:
        torch.save({"head.conv1.weight": torch.zeros(1)}, path)
    else:
        path.write_bytes(content)
    with pytest.raises(UsageError, match="campplus_cn_en_common") as caught:
        load_published(path, paired=True)
    assert "\n" not in str(caught.value)


def test_kaldis_bands_lie_between_ours() -> None:
    bands = bands_of_kaldi()
    assert np.allclose(bands.sum(axis=0), 1)
    assert ((bands > 0).sum(axis=0) <= 2).all()
    assert (np.diff(bands.argmax(axis=0)) >= 0).all()


def test_kaldis_spectrum_hears_a_tone_in_its_band_whatever_its_level() -> None:
    time = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    loud, quiet = (kaldi_log_mel((level * np.sin(2 * np.pi * 1000 * time)).astype(np.float32)) for level in (0.5, 0.05))
    assert loud.shape == (80, 98)
    ends = 1127 * np.log1p(np.array([20.0, 8000.0]) / 700)
    centres = np.linspace(ends[0], ends[1], 82)[1:-1]
    place = int(np.abs(centres - 1127 * np.log1p(1000 / 700)).argmin())
    assert abs(int(loud.mean(axis=1).argmax()) - place) <= 1
    assert loud[place].mean() - quiet[place].mean() == pytest.approx(np.log(100), abs=0.01)


def test_batches_hold_people_of_mostly_one_corpus_and_what_is_known_of_the_same_moments() -> None:
    heard = lessons()
    for place, known in enumerate(heard.known):
        for copy in heard.spectra.values():
            copy[place][1::2][: len(known), 0] = known[: len(copy[place][1::2]), 0]
    for crops, known, wanted, speakers in batches(SETTINGS, heard, np.random.default_rng(1)):
        assert crops.shape == (8, 80, 2 * known.shape[2] + 1)
        assert 20 <= known.shape[2] <= 30
        assert wanted.shape == (8, 192)
        assert torch.allclose(crops[:, 0, 1::2], known[:, 0])
        assert len(set(speakers.tolist())) == 4


def test_a_few_steps_move_the_network_towards_what_is_wanted(published: Path) -> None:
    heard = lessons()
    settings = VoiceFitSettings(
        split=SplitSettings(), copies={"plain": 1.0}, steps=20, people=6, takes=2, frames=(16, 20), averaging=0.2,
        usual=0, published_rate=3e-3, frame=0.1,
    )  # fmt: skip
    network = fit(settings, heard, published)
    crops = torch.from_numpy(np.stack([one.T.astype(np.float32) for one in heard.spectra["plain"]]))
    with torch.inference_mode():
        before = load_published(published, paired=True).eval()(crops)
        after = network(crops)
    wanted = torch.from_numpy(heard.wanted)
    assert (after * wanted).sum(dim=1).mean() > (before * wanted).sum(dim=1).mean() + 0.05


def test_a_recording_that_is_shorter_than_a_crop_is_repeated(published: Path) -> None:
    heard = lessons()
    heard.known[:] = [known[:5] for known in heard.known]
    for _, known, _, _ in batches(SETTINGS, heard, np.random.default_rng(1)):
        assert torch.equal(known[:, :, :5], known[:, :, 5:10])


def test_the_graph_in_eight_bits_says_the_same_of_any_length(published: Path) -> None:
    network = load_published(published, paired=True).eval()
    examples = [np.random.default_rng(n).normal(0.3, 0.3, (80, 200 + 30 * n)).astype(np.float32) for n in range(4)]
    graph = quantised(network, examples)
    assert len(graph) < 9_000_000
    assert agreement(network, graph, examples) > 0.97
    session = open_session(graph, "voice.onnx")
    for length in (3, 81, 1500):
        assert np.linalg.norm(voices.heard(session, np.zeros((80, length), np.float32))) == pytest.approx(1, abs=1e-3)
    with pytest.raises(BundleError, match="in 8 bits"):
        agreement(VoiceNetwork().eval(), graph, examples)


def test_a_bundle_takes_the_network_and_its_thresholds(published: Path, tmp_path: Path) -> None:
    path, network = tmp_path / "voices.pt", load_published(published, paired=True).eval()
    base = Bundle.load(DEFAULT.with_name("light"))
    save(network, path)
    with pytest.raises(UsageError, match="did not end"):
        added(base, path, tmp_path / "bundle")
    scores = {"near": {"eer": 0.1, "eer_hard": 0.2, "purity": 0.9, "coverage": 0.8}}
    thresholds = VoiceThresholds(join=0.4, found=0.5, merge=0.7)
    examples = [np.random.default_rng(n).normal(0.3, 0.3, (80, 300)).astype(np.float32) for n in range(3)]
    save(network, path, examples, FittedVoices(thresholds=thresholds, scores=scores, people=["a/1"]))
    bundle = added(base, path, tmp_path / "bundle")
    assert bundle.manifest.voices == thresholds
    assert "| near | 10.0% | 20.0% | 90.0% | 80.0% |" in (bundle.path / "MODEL_CARD.md").read_text()
    again = added(bundle, path, tmp_path / "again")
    assert (again.path / "MODEL_CARD.md").read_text().count("## Voices") == 1


def test_what_is_no_fitted_network_gets_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "voices.pt"
    path.write_bytes(b"nonsense")
    with pytest.raises(UsageError, match="python -m train voices"):
        load(path)


def test_a_speakers_clips_beyond_the_most_are_left_out_and_no_speaker_is_on_two_sides(tmp_path: Path) -> None:
    rows = [Clip(f"{who}-{take}.wav", "a", who, "anger" if take % 2 else "sad") for who in "xyz" for take in range(6)]
    table = ["path,corpus,speaker,emotion", *(f"{c.path},{c.corpus},{c.speaker},{c.emotion}" for c in rows)]
    (tmp_path / "manifest.csv").write_text("\n".join(table))
    settings = VoiceFitSettings(
        split=SplitSettings(test=("a/x",), calibration=("a/y",)), copies={"plain": 1.0}, most={"a": 4}
    )
    split = read_clips(settings, (tmp_path,), tmp_path / "absent")
    assert [len(side) for side in (split.train, split.calibration, split.test)] == [4, 4, 4]
    assert {clip.speaker for clip in split.train} == {"z"}
