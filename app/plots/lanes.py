"""Utterances over time, a lane for each emotion."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import altair as alt

from app.palette import Palette, hue
from edge.events.event import UNCERTAIN

_LANE_PX = 20
_MARGIN_PX = 50  # axis and margins within a chart's height
_SHORTEST_PX = 4


@dataclass(frozen=True)
class Stay:
    """One utterance in its lane; ``start`` and ``end`` in seconds, or as times of day."""

    emotion: str
    confidence: float
    start: float | datetime
    end: float | datetime


def over_recording(stays: Sequence[Stay], labels: Sequence[str], palette: Palette, chosen: int) -> alt.LayerChart:
    """Over the seconds of a recording; the ``chosen`` one is framed."""
    last = max((float(stay.end) for stay in stays if not isinstance(stay.end, datetime)), default=1.0)
    x = alt.X(
        "start:Q",
        title=None,
        scale=alt.Scale(domain=[0, last], nice=False),
        axis=alt.Axis(grid=False, labelExpr="datum.label + ' s'"),
    )
    return _chart(stays, labels, palette, x, ".1f", chosen)


def over_hour(
    stays: Sequence[Stay], labels: Sequence[str], palette: Palette, begin: datetime, now: datetime
) -> alt.LayerChart:
    """Over the clock from ``begin`` to ``now``."""
    domain = [begin.isoformat(), now.isoformat()]
    axis = alt.Axis(grid=False, format="%H:%M", title=None)
    x = alt.X("start:T", scale=alt.Scale(domain=domain, nice=False), axis=axis)
    return _chart(stays, labels, palette, x, "%H:%M:%S", None)


def _chart(
    stays: Sequence[Stay], labels: Sequence[str], palette: Palette, x: alt.X, moment: str, chosen: int | None
) -> alt.LayerChart:
    lanes = [*labels, UNCERTAIN]
    kind = "T" if moment.startswith("%") else "Q"
    rows = [
        {
            "emotion": stay.emotion,
            "confidence": stay.confidence,
            "start": _plain(stay.start),
            "end": _plain(stay.end),
            "colour": hue(stay.emotion, labels),
            "chosen": place == chosen,
        }
        for place, stay in enumerate(stays)
    ]
    y = alt.Y("emotion:N", title=None, sort=lanes, scale=alt.Scale(domain=lanes), axis=alt.Axis(ticks=False, grid=True))
    tooltip = [
        alt.Tooltip("emotion:N"),
        alt.Tooltip("confidence:Q", format=".0%"),
        alt.Tooltip(f"start:{kind}", format=moment),
        alt.Tooltip(f"end:{kind}", format=moment),
    ]
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        x=x, y=y, color=alt.Color("colour:N", scale=None), tooltip=tooltip
    )
    end = alt.X2(field="end")
    spans = base.mark_bar(height=12, cornerRadius=2).encode(x2=end, opacity=_opacity())
    if chosen is None:  # within an hour, a few seconds are less than a pixel
        extra = base.mark_tick(height=14, thickness=_SHORTEST_PX).encode(opacity=_opacity())
    else:
        frame = base.transform_filter("datum.chosen").mark_bar(height=16, filled=False, strokeWidth=2, cornerRadius=3)
        extra = frame.encode(x2=end, color=alt.value(palette.ink))
    return alt.LayerChart(layer=[spans, extra], height=_LANE_PX * len(lanes) + _MARGIN_PX)


def _plain(moment: float | datetime) -> float | str:
    """As JSON has it."""
    return moment.isoformat() if isinstance(moment, datetime) else moment


def _opacity() -> alt.Opacity:
    return alt.Opacity("confidence:Q", scale=alt.Scale(domain=[0, 1], range=[0.4, 1]), legend=None)
