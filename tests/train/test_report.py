"""Reports of folds put together."""

import numpy as np
import pytest

from edge.model.calibration import MEASURES
from train import report
from train.calibration import constant
from train.corpora import Clip
from train.listen import Heard


def test_pooled_folds_say_what_a_report_on_all_clips_says() -> None:
    generator = np.random.default_rng(1)
    classes = ["anger", "neutral", "sad"]
    clips = [
        Clip(path=f"{number}.wav", corpus="made", speaker=str(number % 3), emotion=classes[number % 3], sex="")
        for number in range(30)
    ]
    logits = generator.normal(size=(30, 3)).astype(np.float32)

    def described(part: slice) -> dict[str, object]:
        heard = Heard(logits[part], np.zeros(30, np.int64)[part], np.zeros((30, len(MEASURES)), np.float32)[part])
        return report.describe(clips[part], heard, classes, constant(1.0), "none")

    whole = described(slice(None))
    together = report.pooled([described(slice(0, 12)), described(slice(12, None))])
    assert together["confusion"] == whole["confusion"]
    assert together["n"] == whole["n"] == 30
    assert together["per_class"] == pytest.approx(whole["per_class"])
    assert together["reliability"].keys() == whole["reliability"].keys()
    for bounds, row in whole["reliability"].items():
        assert together["reliability"][bounds] == pytest.approx(row, abs=2e-4)
    assert sum(row["n"] for row in whole["reliability"].values()) == 30
