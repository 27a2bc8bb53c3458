"""One utterance: emotion, probabilities, explanation by time and by features, playback, downloads."""

import io
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from app import aspects, findings, hearing, palette, parts, verdict
from app.plots import bars, moments
from app.recording import Recording
from edge import features
from edge.audio import SAMPLE_RATE
from edge.cli.analyse import result_of
from edge.cli.sounds import wav
from edge.daemon.pipeline import Analysis
from edge.explain import picture
from edge.explain.explainer import Explanation
from edge.explain.sentence import sentence
from edge.model.classifier import Classifier

_ALL = "all the others"

Made = TypeVar("Made")


def show(recording: Recording, found: Analysis, classifier: Classifier, place: str) -> None:
    """Show the utterance ``found`` of a recording; ``place`` says which one it is."""
    labels = classifier.bundle.labels
    prediction = found.prediction
    noise = "" if np.isnan(found.snr_db) else f", {found.snr_db:.0f} dB over the noise"
    detail = f"{place}: {found.start_s:.2f} to {found.end_s:.2f} s{noise}"
    verdict.show(
        prediction.emotion, prediction.confidence, labels, detail, prediction.label, intensity=prediction.intensity
    )
    time, reasons = st.columns([1.35, 1], gap="large")
    with reasons:
        _heading("How probable", f"uncertain below {100 * prediction.threshold:.0f} %, the dashed line")
        st.altair_chart(bars.probabilities(prediction.probabilities, prediction.threshold, labels, palette.current()))
        against = _question(prediction.label, labels)
        samples = kept(
            "clip", (recording.digest, found.start, found.end), lambda: recording.samples(found.start, found.end)
        )
        analysis = kept(
            "explained",
            (recording.digest, classifier.bundle.digest, found.start, found.end, against),
            lambda: hearing.explained(samples, found, classifier, against),
        )
        if analysis.explanation:
            _reasons(analysis.explanation)
        else:
            st.info(analysis.unexplained, icon=":material/info:")
    with time:
        log_mel = features.frames(samples, features.LOG_MEL)
        with st.container(gap=None):
            for panel in moments.panels(samples, log_mel, analysis.explanation, palette.current()):
                st.altair_chart(panel)
        _playback(samples, analysis.explanation)
        if analysis.explanation and analysis.explanation.aspects:
            aspects.play(samples, analysis.explanation.aspects)
        if classifier.bundle.map:
            key = (recording.digest, classifier.bundle.digest, found.start, found.end)
            parts.show(kept("parts", key, lambda: hearing.parted(samples, prediction, classifier)), prediction.label)
        _downloads(recording.name, samples, analysis)


def _question(label: str, labels: tuple[str, ...]) -> str | None:
    _heading("Why", "LMAC, in log-odds: bars to the right speak for it, bars to the left against it")
    others = [_ALL, *(other for other in labels if other != label)]
    chosen = st.selectbox(f"Why {label}, and not …", others, key=f"against-{label}")
    return None if chosen == _ALL else chosen


def kept(name: str, key: object, make: Callable[[], Made]) -> Made:
    """The result of ``make``, cached in the session for the latest ``key``: every click runs the page again."""
    kept = st.session_state.get(name)
    if kept is None or kept[0] != key:
        with st.spinner("Explaining …"):
            kept = st.session_state[name] = (key, make())
    made: Made = kept[1]
    return made


def _reasons(explanation: Explanation) -> None:
    shades = palette.current()
    st.write(sentence(explanation))
    if explanation.aspects:
        aspects.show(explanation.aspects, explanation.target)
    elif explanation.unheard:
        st.info(explanation.unheard, icon=":material/info:")
    _heading("What the network was given", "the families of features")
    st.altair_chart(bars.contributions(explanation.families, shades))
    st.caption(
        f"The shares of the families sum exactly to the change of the log-odds from {_signed(explanation.base_value)} "
        f"({explanation.baseline}) to {_signed(explanation.value)}."
    )
    _heading("Single features", "the strongest effects; each feature alone is set to the baseline")
    st.altair_chart(bars.contributions({effect.name: effect.effect for effect in explanation.features}, shades))


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "\N{MINUS SIGN}")


def _playback(samples: NDArray[np.int16], explanation: Explanation | None) -> None:
    whole, part = st.columns(2)
    whole.caption("The utterance")
    whole.audio(wav(samples))
    segment = explanation.segment if explanation else None
    if explanation and segment:
        stretch = samples[round(segment.start_s * SAMPLE_RATE) : round(segment.end_s * SAMPLE_RATE)]
        kind = "Most for" if segment.effect > 0 else "Least against"
        part.caption(f"{kind} {explanation.target}: {segment.start_s:.2f} to {segment.end_s:.2f} s")
        part.audio(wav(stretch))


def _downloads(name: str, samples: NDArray[np.int16], analysis: Analysis) -> None:
    stem = f"{name.rsplit('.', 1)[0]}-{analysis.start_s:.2f}s"
    left, right = st.columns(2)
    left.download_button(
        "JSON", findings.lines([result_of(name, analysis)]), f"{stem}.json", "application/json",
        icon=":material/data_object:", width="stretch", on_click="ignore",
    )  # fmt: skip
    explanation = analysis.explanation
    if explanation:

        def png() -> bytes:
            file = io.BytesIO()
            picture.draw(samples, analysis.prediction, explanation, name).savefig(file, format="png")
            return file.getvalue()

        right.download_button(
            "Picture", png, f"{stem}.png", "image/png", icon=":material/image:", width="stretch", on_click="ignore"
        )


def _heading(text: str, detail: str) -> None:
    st.markdown(f"**{text}** :gray[:small[{detail}]]")
