"""From the network's logits to probabilities and the intensity, for a source that nothing is known of."""

import numpy as np

from edge.errors import BundleError
from edge.features import FRAME_RATE, FeatureSet
from edge.model import calibration, intensity
from edge.model.calibration import HIGH, MEASURES, MIDDLE, Calibration
from edge.model.intensity import Head
from export.waveform.graph import Value

_DECIBELS = float(10 / np.log(10))  # dB of a natural logarithm


def probabilities(logits: Value, inverse_temperature: Value) -> Value:
    """Float32 [1, classes] of logits [1, classes] and a float64 [1]."""
    return (logits.astype(np.float64) * inverse_temperature).apply("Softmax", axis=1).astype(np.float32)


def inverse_temperature(frames: Value, embedding: Value, chosen: FeatureSet, found: Calibration) -> Value:
    """``edge.model.calibration`` of raw frames float32 [frames, columns] and an embedding [1, e]: float64 [1]."""
    graph, levels = frames.graph, _columns(frames, chosen, "mel").astype(np.float64)
    power = (levels * (np.log(10) / 10)).apply("Exp")
    loudness, bands = _decibels(power.sum(1)), _decibels(power.mean(0))
    spread = loudness.quantiles(0.1, 0.95)
    seconds = frames.size().astype(np.float64) * (1 / FRAME_RATE)
    precise = embedding.astype(np.float64)
    measured = {
        "seconds": seconds.apply("Log") * (1 / np.log(2)),
        "level": _decibels(power.sum(1).mean(0, keep=True)),
        "range": spread.between(1, 2) - spread.between(0, 1),
        "high": _mean(bands, HIGH) - _mean(bands, MIDDLE),
        "modulation": levels.between(MIDDLE.start, MIDDLE.stop, axis=1).deviation(0).mean(0, keep=True),
        "distance": ((precise * precise).mean(1) + 1e-9).apply("Log"),
        "history": graph.constant(np.zeros(1)),
    }
    if set(measured) != set(MEASURES):
        raise BundleError(
            f"The graph computes {sorted(measured)} where the device measures {sorted(MEASURES)}: "
            "add what is missing to export/waveform/verdict.py"
        )
    standard = graph.concat([measured[name] for name in found.measures]) - graph.constant(np.array(found.mean))
    standard = (standard / graph.constant(np.array(found.scale))).at_least(-found.limit).at_most(found.limit)
    odds = (standard * graph.constant(np.array(found.coefficients))).sum(0, keep=True) + found.bias
    return _softplus(odds)


def strength(frames: Value, scaled: Value, embedding: Value, chosen: FeatureSet, head: Head) -> Value:
    """``edge.model.intensity`` of raw and scaled frames float32 [frames, columns]: float32 [1]."""
    graph = frames.graph
    heard = scaled.between(len(chosen.names) - chosen.speech, None, axis=1).mean(0)
    own = graph.concat([_own(frames, chosen), heard.astype(np.float64), embedding.reshape(-1).astype(np.float64)])
    count = intensity.size(chosen, 0) - len(chosen.names)
    count += (len(head.weights) - intensity.size(chosen, 0)) // 2
    unknown = np.clip(-head.mean[count:] / head.scale[count:], -intensity.LIMIT, intensity.LIMIT)
    bias = head.bias + float(unknown @ head.weights[count:])  # what the distances from an unknown voice's usual, 0, add
    standard = (own - graph.constant(head.mean[:count])) / graph.constant(head.scale[:count])
    standard = standard.at_least(-intensity.LIMIT).at_most(intensity.LIMIT)
    odds = (standard * graph.constant(head.weights[:count])).sum(0, keep=True) + bias
    ones = graph.constant(np.ones(1))
    return (ones / ((odds * -1.0).apply("Exp") + 1.0)).astype(np.float32)


def _own(frames: Value, chosen: FeatureSet) -> Value:
    """Statistics of the utterance alone, float64 [n]: of its frames that are not far below the loudest."""
    graph, precise = frames.graph, frames.astype(np.float64)
    energy = _column(_columns(precise, chosen, "prosody"), intensity.ENERGY)
    spoken = energy >= energy.quantiles(0.95) - intensity.RANGE_DB
    share = spoken.astype(np.float64).mean(0, keep=True)
    speech = precise.select(spoken)
    prosody = _columns(speech, chosen, "prosody")
    energy, voicing = _column(prosody, intensity.ENERGY), _column(prosody, intensity.VOICING)
    voiced = voicing >= intensity.VOICED
    pitch = _pitch(prosody.select(voiced))
    tilts = prosody.take(graph.integers(intensity.ALPHA, intensity.HAMMARBERG, intensity.VOICING), axis=1)
    loudness = energy.quantiles(*intensity.SHARES)
    quiet, usual, loud = (loudness.between(place, place + 1) for place in range(3))
    bands, cepstrum = _columns(speech, chosen, "mel"), _columns(speech, chosen, "mfcc").between(1, None, axis=1)
    level = bands.mean(0)
    return graph.concat(
        [
            pitch.mean(0, keep=True), _deviation(pitch), pitch.quantiles(*intensity.SHARES), _movement(pitch),
            voiced.astype(np.float64).mean(0, keep=True), tilts.mean(0), tilts.deviation(0),
            _deviation(energy), loud - usual, usual - quiet, energy.max(0, keep=True) - loud,
            _movement(energy), share,
            level - level.mean(0, keep=True), bands.deviation(0), cepstrum.mean(0),
            _columns(speech, chosen, "contrast").mean(0),
        ]
    )  # fmt: skip


def _pitch(voiced: Value) -> Value:
    """The pitch of voiced frames' prosody [n, 5], freed of its weight; two zeros where n is below two."""
    octaves = _column(voiced, intensity.PITCH) / _column(voiced, intensity.VOICING)
    count = octaves.size()
    few = (count < 2).where(count, 0)
    longer = octaves.graph.concat([octaves, octaves.graph.constant(np.zeros(2))])
    return longer.between(few, (count < 2).where(count + 2, count))


def _columns(frames: Value, chosen: FeatureSet, family: str) -> Value:
    place = chosen.places[family]
    return frames.between(place.start, place.stop, axis=1)


def _column(values: Value, place: int) -> Value:
    return values.between(place, place + 1, axis=1).reshape(-1)


def _mean(values: Value, place: slice) -> Value:
    return values.between(place.start, place.stop).mean(0, keep=True)


def _deviation(values: Value) -> Value:
    return values.deviation(0).reshape(1)


def _movement(values: Value) -> Value:
    """Mean change between neighbours of values [n], float64 [1]; 0 of a single one."""
    changes = (values.between(1, None) - values.between(0, -1)).apply("Abs").sum(0, keep=True)
    return changes / (values.size() - 1).at_least(1).astype(np.float64)


def _decibels(power: Value) -> Value:
    return power.at_least(calibration.FLOOR).apply("Log") * _DECIBELS


def _softplus(values: Value) -> Value:
    """log(1 + exp(x)), for no x too large."""
    return ((values.apply("Abs") * -1.0).apply("Exp") + 1.0).apply("Log") + values.at_least(0.0)
