"""Training and scores of a model: confusion, accuracy by class, reliability, training curves."""

from collections.abc import Mapping, Sequence

import altair as alt

from app.palette import Palette, hues
from app.scores import Bin, Epoch, Scores

_CELL_PX = 46


def confusion(scores: Scores) -> alt.LayerChart:
    """Rows: the emotion meant; columns: the emotion named. Cells: share of the row, and on hovering the count."""
    rows = [
        {"meant": meant, "heard": heard, "clips": count, "share": count / max(1, sum(counts))}
        for meant, counts in zip(scores.labels, scores.confusion, strict=True)
        for heard, count in zip(scores.labels, counts, strict=True)
    ]
    size = _CELL_PX * len(scores.labels)
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        x=alt.X("heard:N", sort=None, title="heard", axis=alt.Axis(labelAngle=-35, ticks=False, domain=False)),
        y=alt.Y("meant:N", sort=None, title="meant", axis=alt.Axis(ticks=False, domain=False)),
        tooltip=["meant:N", "heard:N", "clips:Q", alt.Tooltip("share:Q", format=".1%")],
    )
    cells = base.mark_rect(cornerRadius=3).encode(
        color=alt.Color("share:Q", scale=alt.Scale(scheme="cividis", domain=[0, 1]), legend=None)
    )
    # Bright cells have dark text in both themes.
    text = base.mark_text(fontSize=12).encode(
        text=alt.Text("share:Q", format=".0%"),
        color=alt.condition("datum.share > 0.55", alt.value("#111111"), alt.value("#FFFFFF")),
        opacity=alt.condition("datum.clips > 0", alt.value(1), alt.value(0.35)),
    )
    return alt.LayerChart(layer=[cells, text], height=size + 90)


def accuracy(scores: Scores, palette: Palette) -> alt.LayerChart:
    """Recall of each emotion."""
    colours = hues(scores.labels)
    rows = [
        {
            "label": label,
            "recall": recall,
            "colour": colours.get(label, palette.neutral),
            "text": f"{100 * recall:.0f} %",
        }
        for label, recall in scores.per_class.items()
    ]
    axis = alt.Axis(title=None, ticks=False, domain=False)
    base = alt.Chart(alt.InlineData(values=rows)).encode(y=alt.Y("label:N", sort=None, axis=axis))
    x = alt.X("recall:Q", axis=None, scale=alt.Scale(domain=[0, 1.12]))
    bars = base.mark_bar(cornerRadiusEnd=3).encode(x=x, color=alt.Color("colour:N", scale=None))
    numbers = base.mark_text(align="left", dx=5, color=palette.ink).encode(x=x, text="text:N")
    return alt.LayerChart(layer=[bars, numbers], height=26 * len(rows) + 24)


def reliability(bins: Sequence[Bin], palette: Palette) -> alt.LayerChart:
    """Accuracy over confidence; on the diagonal they are equal."""
    rows = [{"confidence": b.confidence, "accuracy": b.accuracy, "clips": b.n} for b in bins]
    unit = alt.Scale(domain=[0, 1])
    x = alt.X("confidence:Q", title="how sure", scale=unit, axis=alt.Axis(format=".0%", tickCount=5))
    y = alt.Y("accuracy:Q", title="how often right", scale=unit, axis=alt.Axis(format=".0%", tickCount=5))
    ends = alt.InlineData(values=[{"confidence": 0, "accuracy": 0}, {"confidence": 1, "accuracy": 1}])
    ideal = alt.Chart(ends).mark_line(strokeDash=[4, 4], color=palette.muted).encode(x=x, y=y)
    base = alt.Chart(alt.InlineData(values=rows)).encode(x=x, y=y)
    line = base.mark_line(color=palette.favour)
    tooltip = [alt.Tooltip("confidence:Q", format=".0%"), alt.Tooltip("accuracy:Q", format=".0%"), "clips:Q"]
    size = alt.Size("clips:Q", scale=alt.Scale(range=[20, 500], zero=True), legend=None)
    points = base.mark_circle(color=palette.favour, opacity=0.9).encode(size=size, tooltip=tooltip)
    return alt.LayerChart(layer=[ideal, line, points], height=300)


def curves(epochs: Mapping[int, Epoch], fields: Mapping[str, str], title: str, palette: Palette) -> alt.Chart:
    """Some fields of each epoch over the epochs, with a name for each."""
    rows = [
        {"epoch": number, "which": name, "value": getattr(epoch, field)}
        for number, epoch in epochs.items()
        for field, name in fields.items()
        if getattr(epoch, field) is not None
    ]
    colour = alt.Scale(domain=list(fields.values()), range=[palette.neutral, palette.favour])
    dash = alt.Scale(domain=list(fields.values()), range=[[4, 3], [1, 0]])
    legend = alt.Legend(title=None, orient="bottom")
    chart: alt.Chart = (
        alt.Chart(alt.InlineData(values=rows), height=280)
        .mark_line(strokeWidth=2)
        .encode(
            x=alt.X("epoch:Q", axis=alt.Axis(grid=False, tickMinStep=1)),
            y=alt.Y("value:Q", title=title, scale=alt.Scale(zero=False)),
            color=alt.Color("which:N", scale=colour, legend=legend),
            strokeDash=alt.StrokeDash("which:N", scale=dash, legend=legend),
            tooltip=["which:N", "epoch:Q", alt.Tooltip("value:Q", format=".3f")],
        )
    )
    return chart
