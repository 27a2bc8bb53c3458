"""Estimates for boards that were not at hand: the costs measured here times the larger of two factors."""

from dataclasses import dataclass

from benchmarks.measure import plain

SYSBENCH_HERE = 4280  # events a second of one thread, sysbench 1.0.20, on the machine of the committed results


@dataclass(frozen=True)
class Board:
    """``per_cycle``: float32 multiply-adds that a core can start; ``sysbench``: events a second of one thread."""

    name: str
    ghz: float
    per_cycle: int
    sysbench: float


BOARDS = (
    Board("Zero 2 W (Cortex-A53, 1.0 GHz)", 1.0, 4, 687 * 1.0 / 1.4),
    Board("3 B+ (Cortex-A53, 1.4 GHz)", 1.4, 4, 687),
    Board("4 (Cortex-A72, 1.8 GHz)", 1.8, 4, 1478),
    Board("5 (Cortex-A76, 2.4 GHz)", 2.4, 8, 2737),
)


def estimates(peak: float, utterance: dict, listening: dict) -> str:
    """A table from the peak in thousand million multiply-adds a second, and the CPU of row A and of rows D to F."""
    event = utterance["affectd"]["median"]
    room, talk = (listening[name]["median"] / 36 for name in ("room", "talk"))  # percent of a core
    lines = [
        "| Raspberry Pi, estimated | slower: matrices | `sysbench` | 3 s explained | a quiet room | endless speech |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for board in BOARDS:
        matrices, single = peak / (board.ghz * board.per_cycle), SYSBENCH_HERE / board.sysbench
        factor = max(matrices, single)
        lines.append(
            f"| {board.name} | {matrices:.1f} x | {single:.1f} x | {plain(factor * event)} ms "
            f"| {plain(factor * room)} % of a core | {plain(factor * talk)} % of a core |"
        )
    return "\n".join(lines)
