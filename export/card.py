"""MODEL_CARD.md: a bundle's manifest for people."""

from collections.abc import Iterator, Mapping, Sequence

from edge.bundle import Manifest


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
        *_section(manifest.card, 2),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _section(content: Mapping[str, object], level: int) -> Iterator[str]:
    """Plain entries as a list, then tables of counts, then one heading for every mapping within."""
    labels = content.get("labels")
    tables = {key for key, value in content.items() if isinstance(labels, list) and _is_square(value, len(labels))}
    inner = {key: value for key, value in content.items() if isinstance(value, dict) and value}
    plain = {key: value for key, value in content.items() if key not in tables and key not in inner}
    for key, value in plain.items():
        yield f"- {_words(key)}: {_value(value)}"
    if plain:
        yield ""
    for key in sorted(tables):
        yield from _table(_words(key), labels, content[key])  # type: ignore[arg-type]
    for key, value in inner.items():
        yield f"{'#' * min(level, 6)} {_words(key).capitalize()}"
        yield ""
        yield from _section(value, level + 1)


def _table(title: str, labels: list[object], counts: list[list[object]]) -> Iterator[str]:
    """A confusion matrix, one row for each true class."""
    yield f"| {title}: true \\ heard | {' | '.join(map(str, labels))} |"
    yield "|---|" + "--:|" * len(labels)
    for label, row in zip(labels, counts, strict=True):
        yield f"| {label} | {' | '.join(map(str, row))} |"
    yield ""


def _is_square(value: object, size: int) -> bool:
    rows = value if isinstance(value, list) else []
    return len(rows) == size > 1 and all(isinstance(row, list) and len(row) == size for row in rows)


def _words(key: str) -> str:
    return key.replace("_", " ")


def _value(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        return ", ".join(map(_value, value))
    return str(value)
