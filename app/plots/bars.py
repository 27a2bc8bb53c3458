"""Bars: probabilities, and signed contributions."""

from collections.abc import Mapping, Sequence

import altair as alt

from app.palette import Palette, hues

_ROW_PX = 24
_MARGIN_PX = 24  # the height of a chart in a page includes its margins
_NAMES_PX = 150
_NUMBER = 0.25  # of the axis: room for the number at a bar's end


def probabilities(
    shares: Mapping[str, float], threshold: float | None, labels: Sequence[str], palette: Palette
) -> alt.LayerChart:
    """The probability of each label, the highest first; a dashed line marks ``threshold``."""
    ranked = sorted(shares.items(), key=lambda item: -item[1])
    colours = hues(labels)
    rows = [
        {"label": label, "share": share, "colour": colours.get(label, palette.neutral), "text": f"{100 * share:.0f} %"}
        for label, share in ranked
    ]
    base = alt.Chart(alt.InlineData(values=rows), height=_height(rows)).encode(
        y=_names("label", [label for label, _ in ranked])
    )
    tooltip = [alt.Tooltip("label:N"), alt.Tooltip("share:Q", title="probability", format=".4f")]
    x = alt.X("share:Q", axis=None, scale=alt.Scale(domain=[0, 1.12]))
    bars = base.mark_bar(cornerRadiusEnd=3).encode(x=x, color=alt.Color("colour:N", scale=None), tooltip=tooltip)
    numbers = base.mark_text(align="left", dx=5, color=palette.ink).encode(x=x, text="text:N")
    layers: list[alt.Chart] = [bars, numbers]
    if threshold is not None:
        layers.append(
            alt.Chart(alt.InlineData(values=[{"threshold": threshold, "text": f"uncertain below {threshold:.2f}"}]))
            .mark_rule(strokeDash=[3, 3], color=palette.ink, opacity=0.7)
            .encode(x=alt.X("threshold:Q", axis=None), tooltip="text:N")
        )
    return alt.LayerChart(layer=[*layers], height=_height(rows))


def contributions(effects: Mapping[str, float], palette: Palette) -> alt.LayerChart:
    """Signed bars with their numbers, in the given order: for to the right, against to the left."""
    low, high = min(0.0, *effects.values()), max(0.0, *effects.values())
    room = _NUMBER * ((high - low) or 1.0)
    domain = [low - room if low < 0 else low, high + room]
    rows = [
        {
            "name": name,
            "effect": effect,
            "colour": palette.favour if effect >= 0 else palette.against,
            "text": f"{effect:+.2f}".replace("-", "\N{MINUS SIGN}"),
        }
        for name, effect in effects.items()
    ]
    base = alt.Chart(alt.InlineData(values=rows)).encode(y=_names("name", list(effects)))
    x = alt.X("effect:Q", axis=None, scale=alt.Scale(domain=domain, nice=False))
    tooltip = [alt.Tooltip("name:N"), alt.Tooltip("effect:Q", title="log-odds", format="+.4f")]
    bars = base.mark_bar(cornerRadiusEnd=2).encode(x=x, color=alt.Color("colour:N", scale=None), tooltip=tooltip)
    right = base.transform_filter("datum.effect >= 0").mark_text(align="left", dx=4, color=palette.ink)
    left = base.transform_filter("datum.effect < 0").mark_text(align="right", dx=-4, color=palette.ink)
    zero = (
        alt.Chart(alt.InlineData(values=[{"zero": 0}]))
        .mark_rule(color=palette.ink, opacity=0.6)
        .encode(x=alt.X("zero:Q", axis=None))
    )
    texts = (right.encode(x=x, text="text:N"), left.encode(x=x, text="text:N"))
    return alt.LayerChart(layer=[bars, zero, *texts], height=_height(rows))


def _height(rows: Sequence[object]) -> int:
    return _ROW_PX * len(rows) + _MARGIN_PX


def _names(field: str, order: Sequence[str]) -> alt.Y:
    axis = alt.Axis(
        title=None, minExtent=_NAMES_PX, maxExtent=_NAMES_PX, labelLimit=_NAMES_PX, ticks=False, domain=False
    )
    return alt.Y(f"{field}:N", sort=None, scale=alt.Scale(domain=list(order)), axis=axis)
