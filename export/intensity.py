"""The head for the intensity, put into a bundle whose graphs stay as they are."""

from pathlib import Path

import msgspec

from edge.model.bundle import Bundle, write
from edge.model.manifest import CARD
from export import card
from train.intensity import Fitted

_HEADING = "## Intensity"
_ABOUT = (
    "How strongly an emotion is expressed, 0 to 1; 0.5 lies between normal and strong. Scored on speakers that it was "
    "not fitted on: AUC of the highest level against the lowest, and Spearman's correlation with the levels."
)


def added(bundle: Bundle, fitted: Fitted, out: Path) -> Bundle:
    """Write the bundle with its head to ``out``, verified; BundleError where the two do not fit."""
    manifest = bundle.manifest
    files = {name: (bundle.path / name).read_bytes() for name in manifest.files}
    files[CARD] = _card(files[CARD].decode(), fitted).encode()
    told = {**manifest.card, "intensity": fitted.scores}
    return write(out, msgspec.structs.replace(manifest, intensity=fitted.intensity, card=told), files)


def _card(text: str, fitted: Fitted) -> str:
    """The card with the table of scores at its end, in place of an earlier one."""
    rows = [
        f"| {name} | {scores['n']} | {scores['speakers']} | {scores['auc']:.3f} | {scores['spearman']:.3f} |"
        for name, scores in fitted.scores.items()
    ]
    table = ["| corpus, condition, adaptation | clips | speakers | AUC | Spearman |", "|---|--:|--:|--:|--:|", *rows]
    return card.with_section(text, _HEADING, "\n".join([_ABOUT, "", *table]))
