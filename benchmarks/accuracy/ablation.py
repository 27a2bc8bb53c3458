"""Ablations: trains every variant of ablation.yaml without a result in ablation.json, and prints the tables.

A variant whose run was killed continues after its last epoch.

Run from the repository's root: python -m benchmarks.accuracy.ablation [PLAN [VARIANT ...]]
"""

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import msgspec
import torch

from train.run import Material, run
from train.settings import Settings, data_folder

HERE = Path(__file__).parent
RESULTS = HERE / "ablation.json"
PROTOCOLS = ("none", "source", "speaker")
Scores = dict[str, dict[str, float]]


def merged(base: object, change: object) -> object:
    """``change`` laid over ``base``, mapping by mapping."""
    if isinstance(base, dict) and isinstance(change, dict):
        return base | {key: merged(base.get(key), value) for key, value in change.items()}
    return change


def main() -> None:
    torch.set_num_threads(1)
    plans = msgspec.yaml.decode((HERE / "ablation.yaml").read_bytes())
    material = Material(data_folder(), Path("runs/cache"))
    for name in sys.argv[1:2] or plans:
        if name not in plans:
            sys.exit(f"No plan is called {name}; choose one of {', '.join(plans)}.")
        variants = plans[name]["variants"]
        for variant in sys.argv[2:] or variants:
            if variant not in variants:
                sys.exit(f"No variant of {name} is called {variant}; choose one of: {'; '.join(variants)}.")
            add(name, plans[name], variant, material)
    sys.stdout.write("\n".join(table(variants) for variants in known().values()))


def add(name: str, plan: dict[str, Any], variant: str, material: Material) -> None:
    """Trains one variant of a plan, unless its configuration has a result."""
    settings, begin = configuration(plan, variant)
    digest = hashlib.sha256(msgspec.json.encode(settings, order="sorted")).hexdigest()[:12]
    if known().get(name, {}).get(variant, {}).get("configuration") == digest:
        return
    folder = Path("runs/ablation") / f"{name}-{variant.replace(' ', '-')}-{digest}"
    scores = run(settings, material, folder, Path(begin) if begin else None).card["scores"]
    found = {p: {corpus: part["uar"] for corpus, part in scores[p]["per_corpus"].items()} for p in PROTOCOLS}  # type: ignore[index]
    results = known()  # another process may have added a variant meanwhile
    results.setdefault(name, {})[variant] = {"configuration": digest, **found}
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    sys.stdout.write(row(variant, found) + "\n")
    sys.stdout.flush()


def configuration(plan: dict[str, Any], variant: str) -> tuple[Settings, str]:
    """A variant's configuration, and the checkpoint that it starts from, if any: its own ``start`` or the plan's."""
    change = dict(plan["variants"][variant])
    begin = change.pop("start", plan.get("start", ""))
    return msgspec.convert(merged(plan["base"], change), Settings), begin


def known() -> dict[str, dict[str, Any]]:
    """The results so far: of each plan, of each variant."""
    results: dict[str, dict[str, Any]] = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    return results


def row(variant: str, scores: Scores) -> str:
    """One line of Markdown: UAR in percent, cold / source / speaker, for each corpus."""
    cells = (" / ".join(f"{100 * scores[p][corpus]:.1f}" for p in PROTOCOLS) for corpus in scores["none"])
    return f"| {variant} | {' | '.join(cells)} |"


def table(variants: dict[str, Any]) -> str:
    """The variants of one plan as Markdown."""
    corpora = list(next(iter(variants.values()))["none"])
    head = f"| variant | {' | '.join(corpora)} |\n|---|{'---|' * len(corpora)}"
    return "\n".join([head, *(row(variant, scores) for variant, scores in variants.items()), ""])


if __name__ == "__main__":
    main()
