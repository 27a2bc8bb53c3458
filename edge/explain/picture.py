"""One picture of why an utterance sounds as it does: waveform, spectrogram, time curve, families and features."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from edge import features
from edge.audio import SAMPLE_RATE
from edge.errors import AffectdError
from edge.explain import occlusion
from edge.explain.explainer import Explanation
from edge.features import filters
from edge.model.classifier import Prediction

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, told apart with any colour vision; bars against are hatched as well.
FOR, AGAINST, NEUTRAL = "#0072B2", "#D55E00", "#555555"
SEGMENT = "#F0E442"
_KHZ_TICKS = (0.25, 0.5, 1, 2, 4)
_NAMES_WIDTH = -0.4  # of the bars' axes: their titles begin where the names on the left do
_FLOOR_DB = 60  # of the spectrogram, under its loudest bin


def draw(samples: NDArray[np.int16], prediction: Prediction, explanation: Explanation, title: str) -> "Figure":
    """A figure of one utterance.

    ``samples`` int16 [n] at 16 kHz, ``explanation`` with all its parts.
    Raises AffectdError where matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure  # an extra, and slow to import
    except ImportError:
        raise AffectdError("Pictures need matplotlib: install it with `pip install 'affectd[picture]'`") from None
    figure = Figure(figsize=(12, 8), dpi=110, layout="constrained")
    grid = figure.add_gridspec(1, 2, width_ratios=(1.4, 1))
    left, right = figure.add_subfigure(grid[0, 0]), figure.add_subfigure(grid[0, 1])
    log_mel, seconds = features.frames(samples, features.LOG_MEL), len(samples) / SAMPLE_RATE
    question = f"{explanation.target} rather than {explanation.against}" if explanation.against else explanation.target
    attended = bool(explanation.attention)
    panels = left.subplots(
        4 if attended else 3, 1, sharex=True, height_ratios=(1, 1.8, 1.5, 0.7)[: 4 if attended else 3]
    )
    _waveform(panels[0], samples, explanation)
    _spectrogram(panels[1], log_mel, seconds)
    _time_curve(panels[2], len(log_mel), explanation, question)
    if attended:
        _attention(panels[3], list(explanation.attention or []), seconds)
    panels[-1].set(xlabel="seconds", xlim=(0, seconds))
    upper, middle, lower = right.subplots(3, 1, height_ratios=(len(prediction.probabilities), 6, 10))
    _probabilities(upper, prediction)
    _bars(
        middle, list(explanation.families), list(explanation.families.values()), f"Families: for or against {question}?"
    )
    names, effects = [entry.name for entry in explanation.features], [entry.effect for entry in explanation.features]
    _bars(lower, names, effects, "Single features: the strongest, and the rest together")
    lower.set_xlabel("← against    log-odds    for →")
    sure = "sounds like" if not prediction.uncertain else "uncertain, at best"
    figure.suptitle(
        f"{title}: {sure} {prediction.label}, {100 * prediction.confidence:.0f} %", fontsize=14, weight="bold"
    )
    return figure


def save(figure: "Figure", path: Path) -> None:
    """Write a figure as PNG; AffectdError where it cannot be written."""
    try:
        figure.savefig(path, format="png")
    except OSError as error:
        raise AffectdError(
            f"{path} cannot be written ({error.strerror}): choose another place for the picture"
        ) from None


def _waveform(axes: "Axes", samples: NDArray[np.int16], explanation: Explanation) -> None:
    time = np.arange(len(samples)) / SAMPLE_RATE
    axes.plot(time, samples / 32768, color=NEUTRAL, linewidth=0.4, rasterized=True)
    if explanation.segment:
        segment = explanation.segment
        axes.axvspan(segment.start_s, segment.end_s, color=SEGMENT, alpha=0.5, zorder=0)
        label = f" speaks {'most for' if segment.effect > 0 else 'least against'} {explanation.target}"
        axes.text(segment.start_s, 0.97, label, transform=axes.get_xaxis_transform(), va="top", fontsize=8)
    highest = 1.3 * float(np.abs(samples).max() / 32768)
    axes.set_title("Waveform", loc="left")
    axes.set(ylabel="amplitude", ylim=(-highest, highest))


def _spectrogram(axes: "Axes", log_mel: NDArray[np.float32], seconds: float) -> None:
    loudest = float(log_mel.max())
    axes.imshow(
        log_mel.T,
        origin="lower",
        aspect="auto",
        cmap="cividis",
        vmin=loudest - _FLOOR_DB,
        vmax=loudest,
        extent=(0, seconds, -0.5, features.MELS - 0.5),
        interpolation="nearest",
    )
    ends = filters.hz_to_slaney_mel(features.MEL_FMIN), filters.hz_to_slaney_mel(features.MEL_FMAX)
    step = (ends[1] - ends[0]) / (features.MELS + 1)
    places = [(filters.hz_to_slaney_mel(1000 * khz) - ends[0]) / step - 1 for khz in _KHZ_TICKS]
    axes.set_yticks(places, [f"{khz:g}" for khz in _KHZ_TICKS])
    axes.set_title("Log-mel spectrogram: brighter is louder", loc="left")
    axes.set(ylabel="kHz")


def _time_curve(axes: "Axes", length: int, explanation: Explanation, question: str) -> None:
    effects = np.array([window.effect for window in explanation.time])
    curve = occlusion.curve(occlusion.windows(length).weights, effects)
    time = np.arange(length) / features.FRAME_RATE
    axes.fill_between(time, curve, 0, where=curve >= 0, color=FOR, interpolate=True, linewidth=0)
    axes.fill_between(time, curve, 0, where=curve < 0, color=AGAINST, interpolate=True, linewidth=0)
    axes.axhline(0, color="black", linewidth=0.8)
    if explanation.segment:
        axes.axvspan(explanation.segment.start_s, explanation.segment.end_s, color=SEGMENT, alpha=0.5, zorder=0)
    axes.set_title(f"When: what each moment adds to {question}", loc="left")
    axes.set(ylabel="log-odds")


def _attention(axes: "Axes", weights: Sequence[float], seconds: float) -> None:
    axes.stairs(weights, np.linspace(0, seconds, len(weights) + 1), color=NEUTRAL, fill=True)
    axes.set_title("Attention: where the network looks, whatever it finds there", loc="left")
    axes.set(ylabel="weight", ylim=(0, None))


def _probabilities(axes: "Axes", prediction: Prediction) -> None:
    ranked = sorted(prediction.probabilities.items(), key=lambda item: item[1])
    axes.barh([label for label, _ in ranked], [share for _, share in ranked], color=NEUTRAL)
    axes.axvline(prediction.threshold, color="black", linestyle=":", linewidth=1)
    axes.text(prediction.threshold, -0.4, " below this: uncertain", fontsize=8, va="bottom")
    for place, (_, share) in enumerate(ranked):
        box = {"facecolor": "white", "edgecolor": "none", "pad": 1}
        axes.text(share + 0.01, place, f"{100 * share:.0f} %", va="center", fontsize=8, bbox=box)
    axes.set_title("Probabilities", loc="left", x=_NAMES_WIDTH)
    axes.set(xlim=(0, 1.1), xticks=[])
    axes.spines[["top", "right", "bottom"]].set_visible(False)


def _bars(axes: "Axes", names: Sequence[str], effects: Sequence[float], title: str) -> None:
    """Signed horizontal bars, the first on top, each with its number at its end."""
    places = np.arange(len(names))
    colours = [FOR if effect >= 0 else AGAINST for effect in effects]
    bars = axes.barh(places, effects, color=colours, edgecolor="white")
    widest = max((abs(effect) for effect in effects), default=0.0) or 1.0
    for bar, effect in zip(bars, effects, strict=True):
        bar.set_hatch("" if effect >= 0 else "///")
        side = "left" if effect >= 0 else "right"
        text = f" {effect:+.2f} ".replace("-", "−")
        axes.text(effect, bar.get_y() + bar.get_height() / 2, text, va="center", ha=side, fontsize=8)
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_yticks(places, names)
    axes.set_title(title, loc="left", x=_NAMES_WIDTH)
    axes.set(xlim=(-1.35 * widest, 1.35 * widest))
    axes.invert_yaxis()
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
