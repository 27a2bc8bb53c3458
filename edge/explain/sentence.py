"""One sentence for people about an explanation, made from its figures by rules. Pure; the words are in ``texts``."""

from collections.abc import Mapping, Sequence

from msgspec import UNSET

from edge.explain import texts
from edge.explain.by_aspects import AspectEffects
from edge.explain.explainer import Explanation

SMALLEST = 0.1  # log-odds: what moves a probability by less than 2.5 points is no reason
SMALLEST_PART = 0.15  # of all shares' sizes together
RESIDUALS = 10  # a reason is at least so many times what the shares miss
MOSTLY = 0.5  # of all that speaks for it: from here on the first reason is the main one
OBJECTION = 0.3  # of all that speaks for it: from here on what speaks against it is said
REASONS = 2

_BECAUSE = texts.MOSTLY, texts.BECAUSE, texts.ALTHOUGH, texts.ALTHOUGH_SEVERAL
_SINCE = texts.MOSTLY_SINCE, texts.SINCE, texts.DESPITE, texts.DESPITE


def sentence(explanation: Explanation) -> str:
    """The sentence, without more claims than the figures hold.

    A share is a reason only where it is large: in log-odds, among all shares, and beside the residual. An uncertain
    verdict stays one. What speaks against the verdict is said where it is a good part of what speaks for it.
    """
    parts = [_verdict(explanation)]
    heard = _heard(explanation.aspects) if explanation.aspects else []
    if heard:
        parts += heard
    elif explanation.families:
        parts += _reasons(explanation.families, explanation.residual, texts.FAMILIES, _BECAUSE)
    strongest = next((effect for effect in explanation.features if effect.feature != "rest"), None)
    segment = explanation.segment
    if segment is not UNSET and segment.effect > SMALLEST:
        parts.append(texts.WHEN.format(segment.start_s, segment.end_s))
    if strongest and strongest.effect > SMALLEST:
        parts.append(texts.FEATURE.format(strongest.name))
    other = _other_verdict(explanation.aspects) if heard and explanation.aspects else ""
    return ", ".join(parts) + other + "."


def _heard(aspects: AspectEffects) -> list[str]:
    """The clauses about what people hear; none where nothing of that stands out, and the families say more."""
    shares = {name: found.effect for name, found in aspects.effects.items()}
    words = {name: found.words for name, found in aspects.effects.items()}
    clauses = _reasons(shares, aspects.residual, words, _SINCE)
    return [] if texts.NOTHING in clauses else clauses


def _other_verdict(aspects: AspectEffects) -> str:
    """What it would sound like with a few aspects as usual; empty where a few change nothing."""
    other = aspects.counterfactual
    if not other or len(other.aspects) > REASONS:
        return ""
    names = [texts.ASPECT_NAMES.get(name, name) for name in other.aspects]
    return texts.COUNTERFACTUAL.format(_joined(names), _adjective(other.label))


def _reasons(
    shares: Mapping[str, float], residual: float, words: Mapping[str, str], phrases: tuple[str, str, str, str]
) -> list[str]:
    """The clauses that say what speaks for a verdict and what against it.

    ``phrases`` are those for a main reason, for reasons, for an objection and for several.
    """
    mostly, because, although, although_several = phrases

    def named(names: Sequence[str]) -> str:
        return _joined([words.get(name, name) for name in names])

    threshold = max(SMALLEST, RESIDUALS * abs(residual), SMALLEST_PART * sum(abs(share) for share in shares.values()))
    order = sorted(shares, key=lambda name: -shares[name])
    speaking = [name for name in order if shares[name] >= threshold][:REASONS]
    objecting = [name for name in reversed(order) if shares[name] <= -threshold][:REASONS]
    total = sum(share for share in shares.values() if share > 0)
    clauses = []
    if not speaking:
        clauses.append(texts.NOTHING)
    elif shares[speaking[0]] >= MOSTLY * total:
        clauses.append(mostly.format(named(speaking[:1])))
    else:
        clauses.append(because.format(named(speaking)))
    objections = [name for name in objecting if -shares[name] >= OBJECTION * total]
    if objections:
        clauses.append((although if len(objections) == 1 else although_several).format(named(objections)))
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


def _joined(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else texts.AND.format(", ".join(words[:-1]), words[-1])
