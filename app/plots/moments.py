"""One utterance over time: effect of each moment, waveform, spectrogram and attention on one axis."""

from collections.abc import Sequence

import altair as alt
import numpy as np
from numpy.typing import NDArray

from app import spectrogram
from app.palette import Palette
from app.waveform import envelope
from edge import features
from edge.audio import SAMPLE_RATE
from edge.explain import occlusion
from edge.explain.explainer import Explanation, TimeEffect

_HEIGHTS = {"effects": 160, "waveform": 110, "mel": 220, "attention": 130}  # pixels, with title and axis
_AXIS_PX = 58  # room for the numbers at the left, the same in every panel, so that their times agree


def panels(
    samples: NDArray[np.int16], log_mel: NDArray[np.float32], explanation: Explanation | None, palette: Palette
) -> list[alt.LayerChart]:
    """Charts to stack, for samples int16 [n], their log-mel spectrum [time, bands] and, if any, the explanation."""
    seconds = len(samples) / SAMPLE_RATE
    attention = list(explanation.attention or []) if explanation else []
    stack: list[alt.LayerChart] = []
    if explanation and explanation.time:
        stack.append(_effects(len(log_mel), explanation, _x(seconds), palette))
    stack.append(_waveform(samples, _x(seconds), palette))
    stack.append(_spectrogram(log_mel, seconds, _x(seconds, labelled=not attention), palette))
    if attention:
        stack.append(_attention(attention, seconds, _x(seconds, labelled=True), palette))
    segment = explanation.segment if explanation else None
    if segment:
        stack = [_marked(panel, segment, palette) for panel in stack]
    return stack


def recording(
    samples: NDArray[np.int16], log_mel: NDArray[np.float32], seconds: float, palette: Palette
) -> list[alt.LayerChart]:
    """Charts to stack, for a running recording of ``seconds`` so far; all have one width."""
    return [
        _waveform(samples, _x(seconds), palette),
        _spectrogram(log_mel, len(samples) / SAMPLE_RATE, _x(seconds, labelled=True), palette),
    ]


def _x(seconds: float, *, labelled: bool = False) -> alt.X:
    axis = alt.Axis(title=None, grid=False, tickCount=10, labelExpr="datum.label + ' s'") if labelled else None
    return alt.X("seconds:Q", scale=alt.Scale(domain=[0, seconds], nice=False), axis=axis)


def _y(field: str, title: str | None = None, **options: object) -> alt.Y:
    axis = {"title": None, "minExtent": _AXIS_PX, "maxExtent": _AXIS_PX, "tickCount": 3, "grid": False} | options
    return alt.Y(field, title=title, axis=alt.Axis(**axis))  # type: ignore[arg-type]


def _title(text: str, detail: str, palette: Palette) -> alt.TitleParams:
    return alt.TitleParams(
        text, subtitle=detail, anchor="start", fontSize=13, subtitleFontSize=11, subtitleColor=palette.muted, offset=4
    )


def _effects(length: int, explanation: Explanation, x: alt.X, palette: Palette) -> alt.LayerChart:
    effects = np.array([window.effect for window in explanation.time])
    curve = occlusion.curve(occlusion.windows(length).weights, effects)
    rows = [
        {
            "seconds": round(place / features.FRAME_RATE, 3),
            "effect": value,
            "for": max(value, 0),
            "against": min(value, 0),
        }
        for place, value in enumerate(np.round(curve, 4).tolist())
    ]
    base = alt.Chart(alt.InlineData(values=rows))
    tooltip = [alt.Tooltip("seconds:Q", format=".2f"), alt.Tooltip("effect:Q", title="log-odds", format="+.2f")]
    axis = _y("for:Q", format="+.1f")
    favour = base.mark_area(color=palette.favour, opacity=0.85).encode(x=x, y=axis, tooltip=tooltip)
    against = base.mark_area(color=palette.against, opacity=0.85).encode(x=x, y="against:Q", tooltip=tooltip)
    zero = (
        alt.Chart(alt.InlineData(values=[{"zero": 0}])).mark_rule(color=palette.ink, opacity=0.5).encode(y=_y("zero:Q"))
    )
    question = f"{explanation.target} rather than {explanation.against}" if explanation.against else explanation.target
    title = _title("When", f"what each moment adds to the log-odds of {question}", palette)
    return alt.LayerChart(layer=[favour, against, zero], height=_HEIGHTS["effects"], title=title)


def _waveform(samples: NDArray[np.int16], x: alt.X, palette: Palette) -> alt.LayerChart:
    highest = max(0.02, float(np.abs(samples.astype(np.int32)).max(initial=0)) / 32768)
    base = alt.Chart(alt.InlineData(values=envelope(samples)))
    area = base.mark_area(color=palette.neutral).encode(
        x=x, y=_y("low:Q", values=[0]).scale(domain=[-highest, highest]), y2="high:Q"
    )
    return alt.LayerChart(layer=[area], height=_HEIGHTS["waveform"], title=_title("Waveform", "", palette))


def _spectrogram(log_mel: NDArray[np.float32], seconds: float, x: alt.X, palette: Palette) -> alt.LayerChart:
    ticks = {round(spectrogram.band_of(khz), 3): f"{khz:g} kHz" for khz in spectrogram.KHZ_TICKS}
    names = " : ".join(f"abs(datum.value - {place}) < 0.01 ? '{name}'" for place, name in ticks.items()) + " : ''"
    image = {
        "seconds": 0, "until": seconds, "low": -0.5, "high": features.MELS - 0.5,
        "url": spectrogram.picture(spectrogram.levels(log_mel)),
    }  # fmt: skip
    picture = (
        alt.Chart(alt.InlineData(values=[image]))
        .mark_image(aspect=False)
        .encode(
            x=x,
            x2="until:Q",
            y=_y("low:Q", values=list(ticks), labelExpr=names).scale(domain=[-0.5, features.MELS - 0.5], nice=False),
            y2="high:Q",
            url="url:N",
        )
    )
    title = _title("Log-mel spectrogram", "brighter is louder", palette)
    return alt.LayerChart(layer=[picture], height=_HEIGHTS["mel"], title=title)


def _attention(weights: Sequence[float], seconds: float, x: alt.X, palette: Palette) -> alt.LayerChart:
    rows = [
        {"seconds": place * seconds / len(weights), "until": (place + 1) * seconds / len(weights), "weight": weight}
        for place, weight in enumerate(weights)
    ]
    bars = (
        alt.Chart(alt.InlineData(values=rows))
        .mark_rect(color=palette.neutral)
        .encode(x=x, x2="until:Q", y=_y("weight:Q", tickCount=2, format=".2f"), y2=alt.datum(0))
    )
    title = _title("Attention", "where the network looks, whatever it finds there", palette)
    return alt.LayerChart(layer=[bars], height=_HEIGHTS["attention"], title=title)


def _marked(panel: alt.LayerChart, segment: TimeEffect, palette: Palette) -> alt.LayerChart:
    """Marks the stretch that speaks most for the emotion, over the whole height of a panel."""
    row = {"seconds": segment.start_s, "until": segment.end_s}
    stretch = (
        alt.Chart(alt.InlineData(values=[row]))
        .mark_rect(color=palette.segment, opacity=0.18, stroke=palette.segment, strokeOpacity=1, strokeWidth=1.5)
        .encode(x="seconds:Q", x2="until:Q")
    )
    return alt.LayerChart(data=panel.data, layer=[*panel.layer, stretch], height=panel.height, title=panel.title)
