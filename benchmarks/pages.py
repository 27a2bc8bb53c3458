"""Put the measured costs into docs/performance.md, each table between its marks, and one sentence into README.md.

python -m benchmarks.pages
"""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks import measure, soak
from benchmarks.boards import estimates
from benchmarks.measure import RESULTS, Row, plain

README = measure.ROOT / "README.md"
PAGE = measure.ROOT / "docs" / "performance.md"
CHEAPER = RESULTS.parent / "accuracy" / "cheaper.json"
KINDS = (
    "FusedConv",
    "Conv",
    "MatMul",
    "MatMulIntegerToFloat",
    "DynamicQuantizeMatMul",
    "LSTM",
)  # nodes that have their own row


def main() -> None:
    rows = measure.rows()
    fill(README, {"cost": summary(rows)})
    tables = {"cost": measure.table(rows)}
    if (RESULTS / "hotspots.json").exists():
        details = _details("hotspots")
        tables |= {"stages": stages(details), "graphs": graphs(details)}
    if (RESULTS / "growth.json").exists():
        tables["growth"] = growth(_details("growth"))
    if all((RESULTS / f"{name}.json").exists() for name in ("hotspots", "utterance", "listening")):
        tables["boards"] = estimates(_details("hotspots"), _details("utterance")["cpu"], _details("listening")["cpu"])
    if (RESULTS / "soak.json").exists():
        tables["soak"] = soak.table(_details("soak"))
    if CHEAPER.exists():
        tables["cheaper"] = cheaper(json.loads(CHEAPER.read_text()))
    fill(PAGE, tables)


def fill(page: Path, tables: Mapping[str, str]) -> None:
    """Replace what stands between each pair of marks ``<!-- NAME -->`` in ``page`` by the table of that name."""
    text = page.read_text(encoding="utf-8")
    for mark, table in tables.items():
        marked = f"<!-- {mark} -->"
        filled = f"{marked}\n{table}\n{marked}"
        text = re.sub(f"{marked}.*?{marked}", lambda _, filled=filled: filled, text, flags=re.DOTALL)
    page.write_text(text, encoding="utf-8")


def summary(rows: Sequence[Row]) -> str:
    """What it costs in one sentence: rows A, D and G, of both bundles."""

    def ours(letter: str, bundle: str) -> str:
        return next(row.ours for row in rows if row.letter == letter and f"`{bundle}`" in row.work)

    explained, light = (ours("A", name).split(" (")[0] for name in measure.BUNDLES)
    memory, least = (ours("G", name).split(" at rest")[0] for name in measure.BUNDLES)
    idle = ours("D", "default").rsplit("= ")[-1]
    return (
        f"{explained} of one x86-64 core for an explained event of 3 s of speech, {idle} in a quiet room, {memory} of "
        f"memory at rest; with `light` {light} and {least} "
        "([every cost, and estimates for a Raspberry Pi](docs/performance.md))."
    )


def stages(details: dict) -> str:
    """The stages of three seconds of speech."""
    lines = ["| stage | CPU ms, median | least to most |", "|---|--:|---|"]
    for name, each in details["stages"].items():
        shown = name.replace("  ", "&nbsp;&nbsp;")
        lines.append(f"| {shown} | {each['median']:.2f} | {min(each['values']):.2f} to {max(each['values']):.2f} |")
    return "\n".join(lines)


def graphs(details: dict) -> str:
    """The kinds of nodes in each graph, against what one core can do."""
    peak = details["peak_gmac_per_s"]
    lines = ["| graph, node | ms | million multiply-adds | of what a core can do |", "|---|--:|--:|--:|"]
    for graph, kinds in details["graphs"].items():
        named = {kind: each for kind, each in kinds.items() if kind in KINDS}
        every = kinds["all"]
        rest = {key: every[key] - sum(each[key] for each in named.values()) for key in every}
        for kind, each in {**named, "all others": rest, "**all**": every}.items():
            million = each["million multiply-adds"]
            lines.append(f"| {graph}, {kind} | {each['ms']:.2f} | {million:.1f} | {million / each['ms'] / peak:.0%} |")
    lines += ["", f"One core here does {peak:.0f} thousand million multiply-adds a second (float32, 512 x 512)."]
    return "\n".join(lines)


def growth(details: dict) -> str:
    """One table for each axis."""
    parts = []
    names = {"length": "length, s", "families": "families", "voices": "voices known", "nodes": "daemons"}
    for key, title in names.items():
        points = details["axes"][key]
        parts += [f"| {title} | {' | '.join(map(str, points))} |", f"|---|{'--:|' * len(points)}"]
        for name, values in details[key].items():
            unit = "% of a core" if key == "nodes" else "CPU ms"
            parts.append(f"| {name}, {unit} | {' | '.join(map(plain, values))} |")
        parts.append("")
    return "\n".join(parts).rstrip()


def cheaper(found: dict) -> str:
    """What would make `default` cheaper, and the accuracy that is left (benchmarks.accuracy.cheaper)."""
    percent = lambda share: f"{100 * share:.1f}"  # noqa: E731
    lines = ["| heard by | asked of `default` | UAR near | in a room |", "|---|--:|--:|--:|"]
    for name, asked in (("default", "all"), ("light", "none")):
        alone = found["alone"][name]
        lines.append(f"| `{name}` alone | {asked} | {percent(alone['near'])} | {percent(alone['far'])} |")
    for near, far in zip(found["early exit"]["near"], found["early exit"]["far"], strict=True):
        asked = f"{percent(1 - near['alone'])} %, {percent(1 - far['alone'])} %"
        lines.append(
            f"| `light` where it is {near['sure']:.0%} sure, else `default` | {asked} "
            f"| {percent(near['uar'])} | {percent(far['uar'])} |"
        )
    for seconds, uar in found["in pieces"].items():
        lines.append(f"| the encoder in pieces of {seconds} | all | {percent(uar['near'])} | {percent(uar['far'])} |")
    if "forms" in found:
        lines += [
            "",
            "| weights of the encoder | MB | ms for 3 s | UAR near | in a room | probabilities moved by, mean | most |",
        ]
        lines.append("|---|--:|--:|--:|--:|--:|--:|")
        for form, row in found["forms"]["forms"].items():
            apart = row["apart"]
            lines.append(
                f"| {form} | {row['bytes'] / 1e6:.1f} | {row['ms']:.1f} | {percent(row['uar']['near'])} "
                f"| {percent(row['uar']['far'])} | {apart['mean']:.4f} | {apart['most']:.4f} |"
            )
    return "\n".join(lines)


def _details(name: str) -> dict:
    return json.loads((RESULTS / f"{name}.json").read_text())["details"]


if __name__ == "__main__":
    main()
