"""Estimates for boards that were not at hand: the costs measured here, each kind of arithmetic times a factor."""

from dataclasses import dataclass

from benchmarks.measure import plain

SYSBENCH_HERE = 4280  # events a second of one thread, sysbench 1.0.20, on the machine of the committed results
EIGHT_BITS = ("MatMulIntegerToFloat", "DynamicQuantizeMatMul", "MatMulInteger")


@dataclass(frozen=True)
class Board:
    """Multiply-adds that a core can start in a cycle, ``per_cycle`` in float32 and ``eight`` in 8 bits; ``sysbench``:
    events a second of one thread.
    """

    name: str
    ghz: float
    per_cycle: int
    eight: int
    sysbench: float


BOARDS = (
    Board("Zero 2 W (Cortex-A53, 1.0 GHz)", 1.0, 4, 4, 687 * 1.0 / 1.4),
    Board("3 B+ (Cortex-A53, 1.4 GHz)", 1.4, 4, 4, 687),
    Board("4 (Cortex-A72, 1.8 GHz)", 1.8, 4, 8, 1478),
    Board("5 (Cortex-A76, 2.4 GHz)", 2.4, 8, 32, 2737),
)
"""Cortex-A76 starts two products of four 8-bit numbers each in a cycle (SDOT). The others multiply eight numbers, then
add them up in a second instruction, which an A72 starts beside the first and an A53 behind it (from the software
optimisation guides of Arm).
"""


def estimates(hotspots: dict, utterance: dict, listening: dict) -> str:
    """A table from the stages of an utterance, the CPU of row A and that of rows D to F."""
    stages, nodes = hotspots["stages"], hotspots["graphs"]["encoder"]
    share = sum(nodes[kind]["ms"] for kind in EIGHT_BITS if kind in nodes) / nodes["all"]["ms"]
    small = share * stages["encoder"]["median"] + stages["whose voice it is"]["median"]
    default, light = utterance["default, voices told apart"]["median"], utterance["light"]["median"]
    room, talk = (listening[f"{name}, light"]["median"] / 36 for name in ("room", "talk"))  # per cent of a core
    lines = [
        "| Raspberry Pi, estimated | slower: float32 | 8 bits | `sysbench` | 3 s explained, `default` | `light` "
        "| a quiet room | endless speech, `light` |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for board in BOARDS:
        matrices = hotspots["peak_gmac_per_s"] / (board.ghz * board.per_cycle)
        eight = hotspots["peak_gmac_per_s_8_bits"] / (board.ghz * board.eight)
        single = SYSBENCH_HERE / board.sysbench
        factor, factor8 = max(matrices, single), max(eight, single)
        event = factor * (default - small) + factor8 * small
        lines.append(
            f"| {board.name} | {matrices:.1f} x | {eight:.1f} x | {single:.1f} x | {plain(event)} ms "
            f"| {plain(factor * light)} ms | {plain(factor * room)} % of a core | {plain(factor * talk)} % of a core |"
        )
    return "\n".join(lines)
