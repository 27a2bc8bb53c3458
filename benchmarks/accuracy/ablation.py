"""One change at a time: trains every variant of ablation.yaml that ablation.json lacks as it is, and prints the table.

A variant whose run was killed goes on after its last epoch.

Run from the repository's root: python -m benchmarks.accuracy.ablation [VARIANT ...]
"""

import hashlib
import json
import sys
from pathlib import Path

import msgspec
import torch

from train.run import Material, run
from train.settings import Settings, data_folder

HERE = Path(__file__).parent
RESULTS = HERE / "ablation.json"
CORPORA = ("ravdess", "emodb", "emovo")
PROTOCOLS = ("none", "source", "speaker")


def merged(base: object, change: object) -> object:
    """``change`` laid over ``base``, mapping by mapping."""
    if isinstance(base, dict) and isinstance(change, dict):
        return base | {key: merged(base.get(key), value) for key, value in change.items()}
    return change


def main() -> None:
    torch.set_num_threads(1)
    plan = msgspec.yaml.decode((HERE / "ablation.yaml").read_bytes())
    results = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    material = Material(data_folder(), Path("runs/cache"))
    for name in sys.argv[1:] or plan["variants"]:
        settings = msgspec.convert(merged(plan["base"], plan["variants"][name]), Settings)
        digest = hashlib.sha256(msgspec.json.encode(settings, order="sorted")).hexdigest()[:12]
        if results.get(name, {}).get("configuration") == digest:
            continue
        folder = Path("runs/ablation") / f"{name.replace(' ', '-')}-{digest}"
        card = run(settings, material, folder).card
        scores = card["scores"]
        found = {p: {c: scores[p]["per_corpus"][c]["uar"] for c in CORPORA} for p in PROTOCOLS}
        results[name] = {"configuration": digest, **found}
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
        sys.stdout.write(row(name, results[name]) + "\n")
        sys.stdout.flush()
    sys.stdout.write(table(results))


def row(name: str, scores: dict[str, dict[str, float]]) -> str:
    """One line of Markdown: UAR in percent, cold / source / speaker, for each corpus."""
    cells = (" / ".join(f"{100 * scores[p][c]:.1f}" for p in PROTOCOLS) for c in CORPORA)
    return f"| {name} | {' | '.join(cells)} |"


def table(results: dict[str, dict[str, dict[str, float]]]) -> str:
    head = f"| variant | {' | '.join(CORPORA)} |\n|---|{'---|' * len(CORPORA)}"
    return "\n".join([head, *(row(name, scores) for name, scores in results.items()), ""])


if __name__ == "__main__":
    main()
