"""YAML files checked against a tree of msgspec structs: every error at once, and the reference page of that tree."""

import difflib
import json
import types
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec
import yaml

from edge.errors import ConfigError

Settings = TypeVar("Settings", bound=msgspec.Struct)


class _StrictLoader(yaml.SafeLoader):
    """YAML that refuses a key given twice; plain YAML silently keeps the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key_node, _ in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(
                    None, None, "a key is a list or a mapping, and must be a name", key_node.start_mark
                )
            if key_node.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key `{key_node.value}` is given twice", key_node.start_mark
                )
            seen.add(key_node.value)
        return super().construct_mapping(node, deep)


def read(path: Path, schema: type[Settings]) -> Settings:
    """Decode a YAML file into ``schema``; ConfigError lists every error in it, one sentence each."""
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), Loader=_StrictLoader)  # noqa: S506 (a SafeLoader)
    except FileNotFoundError:
        raise ConfigError([f"{path} does not exist: name a configuration file that does with --config"]) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            [f"{path} cannot be read ({error}): it must be a UTF-8 text file that this user may read"]
        ) from None
    except (yaml.YAMLError, RecursionError, ValueError, TypeError) as error:
        raise ConfigError([f"{path} is not YAML: {' '.join(str(error).split())}"]) from None
    return check({} if document is None else document, schema, str(path))


def check(document: object, schema: type[Settings], place: str) -> Settings:
    """Decode what was read from ``place``; ConfigError lists every error in it, one sentence each."""
    document = _meant(document, schema)
    problems = list(_problems(document, schema, ""))
    if problems:
        raise ConfigError([f"{place}: {problem}" for problem in problems])
    return msgspec.convert(document, schema)


@dataclass(frozen=True)
class Setting:
    """One key of a schema: its dotted path, its default as JSON, what it accepts in words, and its help text."""

    key: str
    default: str
    allowed: str
    meaning: str


def settings(schema: type[msgspec.Struct]) -> list[Setting]:
    """Every key of ``schema``, in its order."""
    return [
        Setting(path, json.dumps(default), _allowed(annotation), _meta(annotation).description or "")
        for path, default, annotation in _leaves(schema, "")
    ]


def reference(schema: type[msgspec.Struct]) -> str:
    """The Markdown reference of ``schema``: one table row per field, with default, range and help text."""
    rows = ["| key | default | allowed | meaning |", "|---|---|---|---|"]
    for one in settings(schema):
        allowed = one.allowed.replace("|", "\\|")
        rows.append(f"| `{one.key}` | `{one.default}` | {allowed} | {one.meaning} |")
    return "\n".join(rows) + "\n"


def _meant(value: object, annotation: Any) -> object:
    """``off`` where the schema has that word: YAML 1.1 reads it as false."""
    struct = _struct(annotation)
    if struct is None:
        return "off" if value is False and "off" in get_args(_parts(annotation)[0]) else value
    if not isinstance(value, dict):
        return value
    hints = get_type_hints(struct, include_extras=True)
    return {key: _meant(inner, hints[key]) if key in hints else inner for key, inner in value.items()}


def _problems(value: object, annotation: Any, path: str) -> Iterator[str]:
    struct = _struct(annotation)
    if struct is None or (value is None and _optional(annotation)):
        try:
            msgspec.convert(value, annotation)
        except msgspec.ValidationError:
            yield f"{path} is {_shown(value)}: allowed is {_allowed(annotation)}"
        return
    if not isinstance(value, dict):
        found = _shown(value)
        yield f"{path or 'the file'} is {found}: allowed is a mapping with {_fields_of(struct)}"
        return
    within = list(_problems_within(value, struct, path))
    yield from within
    if not within:
        try:
            msgspec.convert(value, struct)
        except msgspec.ValidationError as error:  # raised by the struct's __post_init__
            yield f"{path or 'the file'}: {str(error).split(' - at `$')[0]}"


def _problems_within(mapping: dict[Any, Any], struct: type[msgspec.Struct], path: str) -> Iterator[str]:
    hints = get_type_hints(struct, include_extras=True)
    for key, inner in mapping.items():
        place = f"{path}.{key}".lstrip(".")
        if key in hints:
            yield from _problems(inner, hints[key], place)
        else:
            near = difflib.get_close_matches(str(key), hints, n=1)
            yield f"{place} is unknown: " + (
                f"did you mean `{near[0]}`?" if near else f"allowed is {_fields_of(struct)}"
            )
    for field in msgspec.structs.fields(struct):
        if field.required and field.name not in mapping:
            yield f"{path}.{field.name}".lstrip(".") + f" is missing: allowed is {_allowed(hints[field.name])}"


def _shown(value: object) -> str:
    """What was found, as JSON where it can be: YAML's anchors allow a list that holds itself."""
    try:
        return json.dumps(value, default=str)
    except (ValueError, TypeError):
        return repr(value)


def _leaves(struct: type[msgspec.Struct], path: str) -> Iterator[tuple[str, object, Any]]:
    hints = get_type_hints(struct, include_extras=True)
    for field in msgspec.structs.fields(struct):
        place = f"{path}.{field.name}".lstrip(".")
        default = field.default_factory() if field.default_factory is not msgspec.NODEFAULT else field.default
        default = None if default is msgspec.NODEFAULT else default
        inner = _struct(hints[field.name])
        if inner is None:
            yield place, default, hints[field.name]
        else:
            if default is None:
                yield place, None, hints[field.name]
            yield from _leaves(inner, place)


def _parts(annotation: Any) -> tuple[Any, ...]:
    """The members of a union, with Annotated removed; any other type is its only member."""
    if get_origin(annotation) is Annotated:
        return _parts(get_args(annotation)[0])
    return get_args(annotation) if get_origin(annotation) in (Union, types.UnionType) else (annotation,)


def _struct(annotation: Any) -> type[msgspec.Struct] | None:
    return next(
        (part for part in _parts(annotation) if isinstance(part, type) and issubclass(part, msgspec.Struct)), None
    )


def _optional(annotation: Any) -> bool:
    return type(None) in _parts(annotation)


def _fields_of(struct: type[msgspec.Struct]) -> str:
    return ", ".join(f"`{field.name}`" for field in msgspec.structs.fields(struct))


def _meta(annotation: Any) -> msgspec.Meta:
    """The metadata of all nested Annotated layers; the outer ones win."""
    merged: dict[str, Any] = {}
    while get_origin(annotation) is Annotated:
        annotation, *metas = get_args(annotation)
        for meta in metas:
            for name in ("description", "ge", "le", "gt", "lt", "pattern", "min_length"):
                if getattr(meta, name, None) is not None:
                    merged.setdefault(name, getattr(meta, name))
        for part in _parts(annotation):
            if get_origin(part) is Annotated:
                annotation = part
    return msgspec.Meta(**merged)


def _allowed(annotation: Any) -> str:
    """The values that a field accepts, in words."""
    meta = _meta(annotation)
    words = []
    for part in _parts(annotation):
        bare = _parts(part)[0] if get_origin(part) is Annotated else part
        struct = _struct(bare)
        if bare is type(None):
            words.append("null")
        elif struct is not None:
            words.append(f"a mapping with {_fields_of(struct)}")
        elif get_args(bare) and not isinstance(bare, types.GenericAlias):
            words.append(", ".join(f"`{choice}`" for choice in get_args(bare)))
        else:
            words.append(_NAMES.get(get_origin(bare) or bare, str(bare)) + _range(meta))
    return " or ".join(words)


def _range(meta: msgspec.Meta) -> str:
    if meta.le is not None and (meta.ge is not None or meta.gt is not None):
        return (
            f" from {meta.ge:g} to {meta.le:g}" if meta.ge is not None else f" above {meta.gt:g}, at most {meta.le:g}"
        )
    if meta.ge is not None:
        return f" of at least {meta.ge:g}"
    if meta.pattern is not None:
        return f" that matches `{meta.pattern}`"
    return " that is not empty" if meta.min_length else ""


_NAMES = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    list: "a list of texts",
    dict: "a mapping",
}
