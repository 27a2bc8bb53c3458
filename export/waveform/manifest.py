"""``affectd.json``: what a program needs to know beside the graphs (docs/waveform.md)."""

import msgspec

from edge import __version__, features
from edge.audio import SAMPLE_RATE
from edge.explain import aspects, shapley, texts
from edge.features import SPEECH
from edge.features.wording import words
from edge.model.adapter import SMALLEST_VARIANCE
from edge.model.bundle import Bundle

FORMAT = 1
SHORTEST_SECONDS, LONGEST_SECONDS = 0.4, 60.0
"""Of an utterance: less has nothing to hear in it, more takes more memory than a browser gives."""


def manifest(bundle: Bundle) -> bytes:
    """The manifest of a bundle's graphs, as JSON."""
    chosen, found, settings = bundle.features, bundle.manifest, bundle.adapter().settings
    document = {
        "format": FORMAT,
        "affectd": __version__,
        "bundle": {"name": bundle.name, "digest": bundle.digest, "created": found.created},
        "sample_rate": SAMPLE_RATE,
        "frame_rate": features.FRAME_RATE,
        "seconds": {"shortest": SHORTEST_SECONDS, "longest": LONGEST_SECONDS},
        "labels": bundle.labels,
        "threshold": bundle.threshold,
        "temperature": found.temperature,
        "calibration": found.calibration,
        "intensity": found.intensity,
        "families": [
            {"name": name, "text": words(name) if name == SPEECH else name, "start": place.start, "stop": place.stop}
            for name, place in chosen.places.items()
        ],
        "features": [words(name) for name in chosen.names[: len(chosen.names) - chosen.speech]],
        "baseline": found.baseline,
        "scaler": {
            "names": chosen.names,
            "mean": bundle.scaler.mean.tolist(),
            "scale": bundle.scaler.scale.tolist(),
        },
        "embedding": bundle.embedding,
        "adapter": {
            "prior": settings.prior,
            "memory": settings.memory,
            "smallest_variance": SMALLEST_VARIANCE,
        },
        "shapley": shapley.weights(len(chosen.families)).tolist(),
        "aspects": [
            {
                "name": name,
                "unit": aspect.unit,
                "least": aspect.least,
                "voiced": aspect.voiced,
                "relative": aspect.relative,
                "usual": aspects.USUAL_MOVEMENT.get(name),
                "change": aspects.CHANGED[name],
                "limits": aspects.LIMITS[name],
            }
            for name, aspect in aspects.ASPECTS.items()
        ],
        "texts": {name: text for name, text in vars(texts).items() if name.isupper()},
    }
    return msgspec.json.encode(document)
