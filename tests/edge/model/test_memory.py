import platform
import resource

import numpy as np
import pytest

from edge.explain.explainer import Explainer
from edge.model import memory
from edge.model.bundle import Bundle
from edge.model.classifier import Classifier


def fresh_pages(work) -> int:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    work()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told what to hold")
def test_memory_of_an_explanation_is_held_for_the_next_until_it_is_released():
    bundle = Bundle.load()
    explainer = Explainer(Classifier(bundle))
    frames = np.random.default_rng(0).standard_normal((188, len(bundle.features.names))).astype(np.float32)
    prediction = explainer.classifier.predict(frames)
    for _ in range(5):
        explainer.families(prediction)
    held = fresh_pages(lambda: [explainer.families(prediction) for _ in range(10)])
    memory.release()
    released = fresh_pages(lambda: explainer.families(prediction))
    assert held < released
