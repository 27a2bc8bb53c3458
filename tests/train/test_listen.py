"""Histories: what an adapter has learnt from before each clip is judged."""

from collections import defaultdict

import numpy as np
import pytest

from edge.model.adapter import Adaptation, AdapterSettings
from train import listen
from train.corpora import Clip
from train.report import HEARD, by_heard

CLIPS = [
    Clip(f"{number}.wav", ("left", "right")[number % 2], f"s{number % 4}", ("neutral", "sad", "anger")[number // 4 % 3])
    for number in range(240)
]
FRAMES = [np.full((6, 2), float(clip.emotion == "neutral"), np.float32) for clip in CLIPS]
FOREVER = AdapterSettings(prior=1e-6, memory=1e9)
"""Trusts a history wholly, and forgets nothing: the adapter's shift is the share of what it learnt that was neutral."""


def heard(protocol: str, history: str) -> tuple[listen.Heard, list[float]]:
    shares: list[float] = []

    def predict(scaled: np.ndarray, usual: Adaptation) -> tuple[np.ndarray, None]:
        shares.append(float(usual.shift[0]))
        return scaled[0], None

    model = listen.AdaptiveModel(lambda frames: frames, predict)
    return listen.listen(CLIPS, FRAMES, model, protocol, FOREVER, seed=1, history=history), shares


@pytest.mark.parametrize("protocol", ["source", "speaker"])
def test_life_is_four_fifths_neutral_and_a_recording_is_as_it_is(protocol: str) -> None:
    (recorded, shares), (life, shares_in_life) = heard(protocol, "recorded"), heard(protocol, "life")
    ends = [
        place - 1 for place in range(1, 241) if place == 240 or place % (240 // (2 if protocol == "source" else 4)) == 0
    ]
    assert np.mean([shares[end] for end in ends]) == pytest.approx(1 / 3, abs=0.03)
    assert np.mean([shares_in_life[end] for end in ends]) == pytest.approx(0.8 + 0.2 / 3, abs=0.08)
    np.testing.assert_array_equal(recorded.before, life.before)
    np.testing.assert_array_equal(recorded.logits, life.logits)


def test_a_voice_is_followed_as_voices_are_and_a_microphone_as_microphones() -> None:
    found: dict[str, float] = {}
    for protocol in ("source", "speaker"):
        trusts: list[float] = []

        def predict(scaled: np.ndarray, usual: Adaptation, trusts: list[float] = trusts) -> tuple[np.ndarray, None]:
            trusts.append(usual.trust)
            return scaled[0], None

        settings = {"voice": AdapterSettings(prior=5, memory=15), "source": AdapterSettings(prior=20, memory=20)}
        listen.listen(CLIPS, FRAMES, listen.AdaptiveModel(lambda frames: frames, predict, adapters=settings), protocol)
        found[protocol] = max(trusts)
    assert found == {"source": 0.5, "speaker": 0.75}


def test_life_without_neutral_clips_is_the_recording(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.train.test_listen.CLIPS", [Clip(c.path, c.corpus, c.speaker, "sad") for c in CLIPS])
    assert heard("speaker", "life")[1] == heard("speaker", "recorded")[1]


def test_every_count_of_utterances_heard_has_its_row() -> None:
    found, _ = heard("source", "recorded")
    rows = by_heard(
        CLIPS, listen.Heard(np.eye(3)[np.zeros(240, int)], found.before, found.measured), ["anger", "neutral", "sad"]
    )
    counts: dict[str, int] = defaultdict(int)
    for count in found.before:
        counts[next(name for name, numbers in HEARD.items() if count in list(numbers[:300]))] += 1
    assert {name: row["n"] for name, row in rows["per_heard"].items()} == counts  # type: ignore[attr-defined]
    assert counts == {"0": 2, "1-5": 10, "6-20": 30, "21-50": 60, "51+": 138}
