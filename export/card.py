"""MODEL_CARD.md: a bundle's manifest for people."""

from collections.abc import Iterator, Mapping, Sequence

from edge.model.manifest import Manifest

_WHISPER = (
    "The encoder is the first two transformer blocks of OpenAI's Whisper tiny.en, whose weights are under the MIT "
    "licence; its notice stands in LICENSE-weights."
)


def text(manifest: Manifest, labels: Sequence[str], parameters: int) -> str:
    """The card as Markdown: what the model is, and all that the training run says of itself."""
    lines = [
        f"# {manifest.name}",
        "",
        "Names the emotion that an utterance sounds like. It hears how people sound, not what they feel; do not use it "
        "to judge a person.",
        "",
        "| | |",
        "|---|---|",
        f"| labels | {', '.join(labels)} |",
        f"| input profile | `{manifest.profile}` |",
        f"| parameters | {parameters:,} |",
        f"| temperature | {manifest.temperature:.3f} |",
        f"| uncertain below | {manifest.threshold:.2f} |",
        f"| made | {manifest.created} |",
        "",
        *_licence(manifest.card, speech=bool(manifest.encoder_canary)),
        *_section(manifest.card, 2),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _licence(content: Mapping[str, object], *, speech: bool) -> list[str]:
    """What the licences of the corpora let a reader do with the network; nothing where no corpora are named."""
    corpora = content.get("corpora")
    if not isinstance(corpora, dict) or not corpora:
        return []
    kinds = {
        "forbid commercial use": [name for name, licence in corpora.items() if "NC" in str(licence)],
        "are for research": [name for name, licence in corpora.items() if "research" in str(licence)],
    }
    kinds["state nothing of it"] = [name for name in corpora if not any(name in names for names in kinds.values())]
    found = "; ".join(f"those of {', '.join(names)} {kind}" for kind, names in kinds.items() if names)
    verdict = "**Do not use this network commercially.** " if kinds["forbid commercial use"] else ""
    return [
        "## Licence",
        "",
        f"{verdict}It is not under the licence of the code but under LicenseRef-affectd-weights, which is the file "
        "LICENSE-weights of the sources: what the licences of the recordings ask holds for it. Of the corpora, "
        f"{found}.",
        "",
        *([_WHISPER, ""] if speech else []),
    ]


def _section(content: Mapping[str, object], level: int) -> Iterator[str]:
    """Plain entries as a list, then tables, then a heading for every mapping that holds mappings."""
    labels = content.get("labels")
    squares = {key for key, value in content.items() if isinstance(labels, list) and _is_square(value, len(labels))}
    inner = {key: value for key, value in content.items() if isinstance(value, dict) and value}
    lists = [key for key, value in inner.items() if level > 2 and not _holds_mapping(value)]
    for key, value in content.items():
        if key in lists:
            entries = (f"{_words(name)} {_value(entry)}" for name, entry in inner[key].items())
            yield f"- {_words(key)}: {', '.join(entries)}"
        elif _is_prose(value):
            yield f"- {_words(key)}:"
            yield from (f"  - {sentence}" for sentence in value)  # type: ignore[attr-defined]
        elif key not in squares and key not in inner:
            yield f"- {_words(key)}: {_value(value)}"
    if len(squares) + len(inner) - len(lists) < len(content):
        yield ""
    for key in sorted(squares):
        yield from _confusion(_words(key), labels, content[key])  # type: ignore[arg-type]
    for key, value in inner.items():
        if key not in lists:
            yield f"{'#' * min(level, 6)} {_words(key).capitalize()}"
            yield ""
            yield from _comparison(value) if _is_uniform(value) else _section(value, level + 1)


def _is_prose(value: object) -> bool:
    """Whether an entry is a list of sentences, each worth a line."""
    return isinstance(value, list) and bool(value) and all(isinstance(one, str) and " " in one for one in value)


def _comparison(rows: Mapping[str, Mapping[str, object]]) -> Iterator[str]:
    """Mappings with the same keys as the rows of one table."""
    keys = list(next(iter(rows.values())))
    yield f"| | {' | '.join(map(_words, keys))} |"
    yield "|---|" + "--:|" * len(keys)
    for name, row in rows.items():
        yield f"| {_words(name)} | {' | '.join(_value(row[key]) for key in keys)} |"
    yield ""


def _confusion(title: str, labels: list[object], counts: list[list[object]]) -> Iterator[str]:
    """A confusion matrix, one row for each true class."""
    yield f"| {title}: true \\ heard | {' | '.join(map(str, labels))} |"
    yield "|---|" + "--:|" * len(labels)
    for label, row in zip(labels, counts, strict=True):
        yield f"| {label} | {' | '.join(map(str, row))} |"
    yield ""


def _is_square(value: object, size: int) -> bool:
    rows = value if isinstance(value, list) else []
    return len(rows) == size > 1 and all(isinstance(row, list) and len(row) == size for row in rows)


def _is_uniform(value: Mapping[str, object]) -> bool:
    rows = list(value.values())
    same = all(isinstance(row, dict) and row and not _holds_mapping(row) for row in rows)
    return same and len({tuple(row) for row in rows if isinstance(row, dict)}) == 1


def _holds_mapping(value: Mapping[str, object]) -> bool:
    return any(isinstance(entry, dict) for entry in value.values())


def _words(key: str) -> str:
    return key.replace("_", " ")


def _value(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        return ", ".join(map(_value, value)) or "none"
    return "none" if value in (None, {}) else str(value)


def with_section(text: str, heading: str, content: str) -> str:
    """A card with a section at its end, in place of an earlier one of the same ``heading``; all others stay."""
    before, _, rest = text.partition(f"{heading}\n")
    _, found, later = rest.partition("\n## ")
    kept = f"{before.rstrip()}\n\n## {later.strip()}" if found else before.rstrip()
    return f"{kept}\n\n{heading}\n\n{content}\n"
