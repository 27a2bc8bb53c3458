"""Row K: the size of the device's environment on disk, beside that of torch and librosa.

Counts the installed files of each distribution and of its requirements. Byte code is left out, since a device has none
before its first start; so are pip and the interpreter, which are the same for both, and what the installer removes.

python -m benchmarks.size [--json FILE]
"""

import importlib.metadata
import re
from pathlib import PurePath

from packaging.requirements import Requirement

from benchmarks import measure
from install.device.release import UNUSED

OURS, THEIRS = "affectd", "torch and librosa"


def closure(*names: str, pruned: bool = False) -> dict[str, float]:
    """MB of each distribution that the named ones need, themselves included; ``pruned``: as the installer leaves it."""
    sizes: dict[str, float] = {}
    waiting = [Requirement(name) for name in names]
    while waiting:
        requirement = waiting.pop()
        name = re.sub(r"[-_.]+", "-", requirement.name).lower()
        if name in sizes or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        distribution = importlib.metadata.distribution(name)
        sizes[name] = _megabytes(distribution, pruned=pruned)
        waiting += [Requirement(line) for line in distribution.requires or []]
    return dict(sorted(sizes.items(), key=lambda pair: -pair[1]))


def _megabytes(distribution: importlib.metadata.Distribution, *, pruned: bool) -> float:
    kept = [file for file in distribution.files or [] if not (pruned and any(_within(file, one) for one in UNUSED))]
    files = [file.locate() for file in kept if file.suffix != ".pyc"]
    if distribution.metadata["Name"] == "affectd":  # an editable installation lists no files
        files = [path for path in (measure.ROOT / "edge").rglob("*") if path.suffix != ".pyc"]
    return sum(path.stat().st_size for path in files if path.is_file()) / 1e6


def _within(file: PurePath, pattern: str) -> bool:
    """Whether a file is what a pattern means, or lies in it."""
    return any(each.match(pattern) for each in (file, *file.parents))


def main() -> None:
    options = measure.parser(__doc__, runs=1).parse_args()
    ours, theirs = closure("affectd", pruned=True), closure("torch", "librosa")
    total, other = sum(ours.values()), sum(theirs.values())
    largest = ", ".join(f"{name} {size:.0f}" for name, size in list(ours.items())[:3])
    row = measure.Row(
        "K",
        "the device's environment on disk",
        f"{total:.0f} MB ({largest})",
        f"{THEIRS} (CPU only): {other:,.0f} MB, {other / total:.1f} x",
        [measure.Goal("≤ 150 MB", total, 150)],
        {THEIRS: other / total},
    )
    measure.report([row], {"megabytes": {OURS: ours, THEIRS: theirs}}, options.json)


if __name__ == "__main__":
    main()
