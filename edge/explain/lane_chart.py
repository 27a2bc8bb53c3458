"""One picture of a recording: a lane for every emotion, and below it how strongly each moment is expressed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.errors import AffectdError
from edge.explain.picture import FOR, NEUTRAL

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_FAINTEST = 0.35  # opacity where the confidence is 0


@dataclass(frozen=True)
class Moment:
    """A stretch of a recording, in seconds, and what it sounds like; ``intensity`` is 0 to 1 where it is known."""

    start_s: float
    end_s: float
    emotion: str
    confidence: float
    intensity: float | None


def draw(moments: Sequence[Moment], lanes: Sequence[str], seconds: float, title: str) -> "Figure":
    """A figure of a recording of ``seconds``; ``lanes`` are the emotions from top to bottom.

    Raises AffectdError where matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure  # an extra, and slow to import
    except ImportError:
        raise AffectdError("Pictures need matplotlib: install it with `pip install 'affectd[picture]'`") from None
    known = [moment for moment in moments if moment.intensity is not None]
    figure = Figure(figsize=(12, 5 if known else 3.5), dpi=110, layout="constrained")
    above, *below = figure.subplots(
        2 if known else 1, 1, sharex=True, squeeze=False, height_ratios=(3, 1.2) if known else (1,)
    )[:, 0]
    for place, lane in enumerate(lanes):
        mine = [moment for moment in moments if moment.emotion == lane]
        above.barh(
            [place] * len(mine),
            [moment.end_s - moment.start_s for moment in mine],
            left=[moment.start_s for moment in mine],
            height=0.7,
            color=[(FOR, _FAINTEST + (1 - _FAINTEST) * moment.confidence) for moment in mine],
        )
    above.set_yticks(range(len(lanes)), lanes)
    above.set(ylim=(len(lanes) - 0.5, -0.5), xlim=(0, seconds))
    above.set_title("Emotion: the stronger the colour, the surer", loc="left")
    for axes in below:
        axes.bar(
            [moment.start_s for moment in known],
            [moment.intensity for moment in known],
            [moment.end_s - moment.start_s for moment in known],
            align="edge",
            color=NEUTRAL,
        )
        axes.axhline(0.5, color="black", linestyle=":", linewidth=1)
        axes.set_title("Intensity: the dotted line is between normal and strong", loc="left")
        axes.set(ylim=(0, 1))
    for axes in (above, *below):
        axes.spines[["top", "right"]].set_visible(False)
    (below or [above])[-1].set_xlabel("seconds")
    figure.suptitle(title, fontsize=14, weight="bold")
    return figure
