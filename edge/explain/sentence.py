"""One sentence for people about an explanation, made from its figures by rules. Pure; the words are in ``texts``."""

from collections.abc import Mapping, Sequence

from msgspec import UNSET

from edge.explain import texts
from edge.explain.explainer import Explanation

SMALLEST = 0.1  # log-odds: what moves a probability by less than 2.5 points is no reason
SMALLEST_PART = 0.15  # of all shares' sizes together
RESIDUALS = 10  # a reason is at least so many times what the shares miss
MOSTLY = 0.5  # of all that speaks for it: from here on the first reason is the main one
OBJECTION = 0.3  # of all that speaks for it: from here on what speaks against it is said
REASONS = 2


def sentence(explanation: Explanation) -> str:
    """The sentence, without more claims than the figures hold.

    A share is a reason only where it is large: in log-odds, among all shares, and beside the residual. An uncertain
    verdict stays one. What speaks against the verdict is said where it is a good part of what speaks for it.
    """
    parts = [_verdict(explanation)]
    if explanation.families:
        parts += _reasons(explanation.families, explanation.residual)
    strongest = next((effect for effect in explanation.features if effect.feature != "rest"), None)
    segment = explanation.segment
    if segment is not UNSET and segment.effect > SMALLEST:
        parts.append(texts.WHEN.format(segment.start_s, segment.end_s))
    if strongest and strongest.effect > SMALLEST:
        parts.append(texts.FEATURE.format(strongest.name))
    return ", ".join(parts) + "."


def _reasons(shares: Mapping[str, float], residual: float) -> list[str]:
    """The clauses that say what speaks for a verdict and what against it."""
    threshold = max(SMALLEST, RESIDUALS * abs(residual), SMALLEST_PART * sum(abs(share) for share in shares.values()))
    order = sorted(shares, key=lambda name: -shares[name])
    speaking = [name for name in order if shares[name] >= threshold][:REASONS]
    objecting = [name for name in reversed(order) if shares[name] <= -threshold][:REASONS]
    total = sum(share for share in shares.values() if share > 0)
    clauses = []
    if not speaking:
        clauses.append(texts.NOTHING)
    elif shares[speaking[0]] >= MOSTLY * total:
        clauses.append(texts.MOSTLY.format(_words(speaking[:1])))
    else:
        clauses.append(texts.BECAUSE.format(_words(speaking)))
    objections = [name for name in objecting if -shares[name] >= OBJECTION * total]
    if objections:
        although = texts.ALTHOUGH if len(objections) == 1 else texts.ALTHOUGH_SEVERAL
        clauses.append(although.format(_words(objections)))
    return clauses


def _verdict(explanation: Explanation) -> str:
    emotion = _adjective(explanation.target)
    if explanation.uncertain is True:
        return texts.UNCERTAIN.format(emotion)
    if isinstance(explanation.against, str):
        return texts.RATHER.format(emotion, _adjective(explanation.against))
    return texts.SOUNDS.format(emotion)


def _adjective(label: str) -> str:
    """How somebody sounds of whom a ``label`` is said."""
    return texts.EMOTIONS.get(label) or texts.OTHER_EMOTION.format(label)


def _words(names: Sequence[str]) -> str:
    words = [texts.FAMILIES.get(name, name) for name in names]
    return words[0] if len(words) == 1 else texts.AND.format(", ".join(words[:-1]), words[-1])
