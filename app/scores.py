"""Scores and training curves from the card of a bundle: values in, values out."""

from collections.abc import Iterator, Mapping

import msgspec

ADAPTATIONS = {"none": "cold", "source": "adapted to the microphone", "speaker": "adapted to the speaker"}


class Bin(msgspec.Struct, frozen=True):
    """One bin of confidence: number of clips, mean confidence, accuracy."""

    n: int
    confidence: float
    accuracy: float


class Scores(msgspec.Struct, frozen=True):
    """Scores on recordings that training never saw: fractions of 1, or a mean and its spread in per cent, in words.

    ``confusion`` counts [meant][heard].
    """

    n: int
    labels: list[str]
    per_class: dict[str, float]
    confusion: list[list[int]]
    uar: float | str
    wa: float | str
    f1_macro: float | str
    ece: float | str
    reliability: dict[str, Bin] = {}
    per_corpus: dict[str, dict[str, float]] = {}
    per_sex: dict[str, dict[str, float]] = {}
    per_heard: dict[str, dict[str, float]] = {}


class Epoch(msgspec.Struct, frozen=True):
    """One epoch of the training curves."""

    train_loss: float
    train_accuracy: float
    calibration_loss: float | None = None
    calibration_uar: float | None = None


def scores(card: Mapping[str, object]) -> dict[str, dict[str, Scores]]:
    """The scores by protocol and adaptation, incomplete ones left out. "" is the bundle's own split."""
    found = card.get("scores")
    protocols: dict[str, dict[str, Scores]] = {}
    for protocol, adaptation, content in _entries(found if isinstance(found, dict) else {}):
        try:
            value = msgspec.convert(content, Scores)
        except msgspec.ValidationError:
            continue
        if {len(value.labels)} == {len(value.confusion), *map(len, value.confusion)}:
            protocols.setdefault(protocol, {})[adaptation] = value
    return protocols


def curves(card: Mapping[str, object]) -> dict[int, Epoch]:
    """The training curves by epoch, or none."""
    try:
        return msgspec.convert(card.get("curves", {}), dict[int, Epoch], strict=False)
    except msgspec.ValidationError:
        return {}


def protocol(name: str) -> str:
    """A protocol's name for people."""
    corpus, _, groups = name.partition("/")
    if groups == "speakers":
        return f"each speaker of {corpus} in turn"
    if groups:
        return f"speakers of {corpus}, in {groups} groups"
    known = {"": "some speakers", "corpora": "each corpus in turn", "random": "a random fifth, speakers mixed"}
    return known.get(name, name)


def rate(value: float | str) -> str:
    """A score as text."""
    return f"{value.replace('+-', '±')} %" if isinstance(value, str) else f"{100 * value:.1f} %"


def _entries(found: Mapping[str, object]) -> Iterator[tuple[str, str, object]]:
    """(protocol, adaptation, scores) of a card, which holds them by adaptation, or by protocol and adaptation."""
    for name, content in found.items():
        if isinstance(content, dict) and "confusion" not in content:
            yield from ((name, str(inner), scores) for inner, scores in content.items())
        else:
            yield "", name, content
