"""Page: the model bundle, its training and its scores."""

from collections.abc import Mapping

import streamlit as st

from app import bundles, palette, scores
from app.plots import training
from app.scores import Scores
from edge.model.bundle import Bundle
from edge.model.manifest import CARD


def page() -> None:
    """Draw the page."""
    bundle = bundles.classifier().bundle
    st.title(f"The model: {bundle.name}", anchor=False)
    st.caption(f"{bundle.path}, {bundle.digest[:19]}…, made {bundle.manifest.created}")
    facts = st.columns(4)
    facts[0].metric("Emotions", len(bundle.labels), help=", ".join(bundle.labels))
    facts[1].metric("Input", bundle.profile, help="Frames over time, or their statistics over the utterance")
    facts[2].metric("Uncertain below", f"{100 * bundle.threshold:.0f} %")
    facts[3].metric("Temperature", f"{bundle.temperature:.2f}", help="The logits are divided by it before the softmax")
    measured, made, card = st.tabs(["How well it does", "How it was trained", "Card"])
    with measured:
        _measured(scores.scores(bundle.manifest.card))
    with made:
        _made(bundle)
    with card:
        st.markdown((bundle.path / CARD).read_text(encoding="utf-8"))


def _measured(protocols: Mapping[str, Mapping[str, Scores]]) -> None:
    if not protocols:
        st.info("This bundle holds no scores: evaluate it with `python -m train evaluate`.")
        return
    protocol = next(iter(protocols))
    if len(protocols) > 1:
        protocol = st.selectbox("Never heard in training", list(protocols), format_func=scores.protocol, width=300)
    adaptation = st.segmented_control(
        "The device was",
        list(protocols[protocol]),
        default=next(iter(protocols[protocol])),
        required=True,
        format_func=lambda name: scores.ADAPTATIONS.get(name, name),
        key=f"adaptation-{protocol}",
    )
    found = protocols[protocol][adaptation]
    numbers = st.columns(5)
    numbers[0].metric(
        "Unweighted average recall", scores.rate(found.uar), help="Recall of each emotion, averaged with equal weights"
    )
    numbers[1].metric("Weighted accuracy", scores.rate(found.wa), help="Share of all recordings that are right")
    numbers[2].metric("Macro F1", scores.rate(found.f1_macro))
    numbers[3].metric(
        "Calibration error", scores.rate(found.ece), help="Mean difference between confidence and accuracy"
    )
    numbers[4].metric("Recordings", f"{found.n:,}", help="None of them was used in training")
    shades = palette.current()
    left, right = st.columns([1.2, 1], gap="large")
    with left:
        st.markdown("**Confusion** :gray[:small[rows: the emotion meant; columns: the emotion named]]")
        st.altair_chart(training.confusion(found))
    with right:
        st.markdown("**Accuracy by emotion** :gray[:small[share of its recordings that is named right]]")
        st.altair_chart(training.accuracy(found, shades))
        st.markdown("**Reliability** :gray[:small[on the dashed line, accuracy equals confidence]]")
        if found.reliability:
            st.altair_chart(training.reliability(list(found.reliability.values()), shades))
        else:
            st.info("This bundle holds no reliability data: train it again with this version.")
    groups = {"corpus": found.per_corpus, "sex": found.per_sex, "heard before": found.per_heard}
    told = {title: rows for title, rows in groups.items() if rows}
    for column, (title, rows) in zip(st.columns(len(told) or 1), told.items(), strict=False):
        with column:
            _groups(title, rows)


def _groups(title: str, groups: Mapping[str, Mapping[str, float]]) -> None:
    rows = [
        {title: name, "recordings": row.get("n"), "UAR": 100 * row.get("uar", 0), "accuracy": 100 * row.get("wa", 0)}
        for name, row in groups.items()
    ]
    share = st.column_config.NumberColumn(format="%.1f %%")
    st.dataframe(rows, hide_index=True, column_config={"UAR": share, "accuracy": share})


def _made(bundle: Bundle) -> None:
    epochs = scores.curves(bundle.manifest.card)
    shades = palette.current()
    if epochs:
        left, right = st.columns(2, gap="large")
        losses = {"train_loss": "training", "calibration_loss": "speakers set aside"}
        rates = {"train_accuracy": "training, accuracy", "calibration_uar": "speakers set aside, UAR"}
        left.altair_chart(training.curves(epochs, losses, "loss", shades))
        right.altair_chart(training.curves(epochs, rates, "share right", shades))
    else:
        st.info("This bundle holds no training curves: train and export it again with this version.")
    card = bundle.manifest.card
    st.markdown("**What it was trained on**")
    st.dataframe(_splits(card.get("splits")), hide_index=True)
    with st.expander("Corpora and their licences"):
        st.json(card.get("corpora", {}))
    with st.expander("The recipe"):
        st.json(card.get("training", {}))


def _splits(splits: object) -> list[dict[str, object]]:
    """The sides of the split as rows; a nested mapping becomes a list in words."""
    sides = splits.items() if isinstance(splits, dict) else []
    return [
        {"side": name}
        | {
            key: ", ".join(f"{inner} {count}" for inner, count in value.items()) if isinstance(value, dict) else value
            for key, value in side.items()
        }
        for name, side in sides
    ]
