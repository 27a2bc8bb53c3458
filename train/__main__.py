"""``python -m train``: fit and evaluate."""

import argparse
import json
import sys
from pathlib import Path

import torch

from edge.errors import AffectdError
from train import evaluate as evaluation
from train.listen import PROTOCOLS
from train.run import Material, run
from train.settings import data_folder, read_settings


def fit(arguments: argparse.Namespace) -> None:
    """Trains one model and leaves it in the output folder."""
    settings = read_settings(arguments.config)
    torch.set_num_threads(arguments.threads)
    folder = arguments.out or Path("runs") / settings.name
    if not arguments.resume:
        (folder / "last.pt").unlink(missing_ok=True)
    run(settings, Material(arguments.root or data_folder(), arguments.cache, arguments.jobs), folder, arguments.start)
    sys.stdout.write(f"{folder / 'checkpoint.pt'}\n")


def evaluate(arguments: argparse.Namespace) -> None:
    """Scores one bundle; a table for people, one JSON object for machines."""
    options = {key: value for key, value in vars(arguments).items() if key not in ("command", "call", "json")}
    scores = evaluation.evaluate(evaluation.Evaluation(**options))
    sys.stdout.write(json.dumps(scores) + "\n" if arguments.json else table(scores))


def table(scores: dict[str, object]) -> str:
    """The headline figures, one a line."""
    rows = [f"{name:10} {scores[name]:.1%}" for name in ("wa", "uar", "f1_macro", "ece", "accuracy_at_75")]
    return "\n".join([f"n          {scores['n']}", *rows, f"left out   {scores['left_out'] or 'none'}", ""])


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="python -m train", description="Trains and evaluates affectd's models.")
    commands = top.add_subparsers(dest="command", required=True)
    fitting = commands.add_parser("fit", help="train a model as a configuration says")
    fitting.set_defaults(call=fit)
    fitting.add_argument("--config", type=Path, required=True, help="a YAML file such as configs/train.yaml")
    fitting.add_argument("--root", type=Path, help="the data folder (default: $AFFECTD_DATA, else ../shared/data)")
    fitting.add_argument("--out", type=Path, help="where the run is left (default: runs/NAME)")
    fitting.add_argument("--cache", type=Path, default=Path("runs/cache"), help="where features are kept")
    fitting.add_argument("--jobs", type=int, default=1, help="processes that compute features")
    fitting.add_argument("--threads", type=int, default=1, help="threads that train")
    fitting.add_argument("--resume", action="store_true", help="go on after the last epoch of a killed run")
    fitting.add_argument("--start", type=Path, help="a checkpoint to begin from instead of random weights")
    evaluating = commands.add_parser("evaluate", help="score a bundle on the recordings of a manifest")
    evaluating.set_defaults(call=evaluate)
    evaluating.add_argument("--bundle", type=Path, required=True, help="a bundle folder")
    evaluating.add_argument("--manifest", type=Path, required=True, help="CSV with path, corpus, speaker, emotion")
    evaluating.add_argument("--root", type=Path, required=True, help="the folder that the paths start from")
    evaluating.add_argument("--adapt", choices=PROTOCOLS, default="none", help="whose history the adapter has heard")
    evaluating.add_argument("--seed", type=int, default=1, help="order in which clips are heard")
    evaluating.add_argument("--cache", type=Path, default=Path("runs/cache"), help="where features are kept")
    evaluating.add_argument("--jobs", type=int, default=1, help="processes that compute features")
    evaluating.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    return top


def main() -> int:
    """Runs the command; errors are one sentence."""
    arguments = parser().parse_args()
    try:
        arguments.call(arguments)
    except AffectdError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
