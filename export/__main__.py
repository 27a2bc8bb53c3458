"""``python -m export``: a checkpoint becomes a verified bundle."""

import argparse
import datetime
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import torch

from edge.errors import AffectdError
from edge.model import bundle
from edge.model.bundle import Bundle, Manifest
from edge.model.runtime import open_session
from export import card, checkpoint, graphs, parity
from export.checkpoint import Checkpoint
from train.network import EmotionNetwork


def main(arguments: Sequence[str] | None = None) -> int:
    """Export the checkpoint that the command line names; the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m export",
        description="Turn a checkpoint into a model bundle, and prove that it computes the same.",
    )
    parser.add_argument(
        "--checkpoint", type=Path, required=True, metavar="FILE", help="what `python -m train fit` wrote"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the bundle's folder, replaced whole")
    parser.add_argument("--name", help="the bundle's name; by default that of its training run")
    parser.add_argument("--debug", action="store_true", help="show the trace of an error")
    options = parser.parse_args(arguments)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    try:
        trained = checkpoint.read(options.checkpoint)
        written = export(trained, options.out, options.name or _name(trained) or options.out.resolve().name)
    except AffectdError as error:
        if options.debug:
            raise
        print(f"export: {error}", file=sys.stderr)
        return error.exit_code
    print(f"{written.path}: {written.name}, {', '.join(written.labels)}; {written.digest}")
    return 0


def export(trained: Checkpoint, out: Path, name: str) -> Bundle:
    """Write the bundle of a trained network to ``out``, verified; BundleError where it is not what the device wants."""
    record, network = trained.record, trained.network
    chosen = bundle.feature_set(record.feature_specification)
    files = {bundle.MODEL: graphs.model(network)}
    difference = parity.model(network, open_session(files[bundle.MODEL], bundle.MODEL))
    _report(bundle.MODEL, files[bundle.MODEL], difference)
    if isinstance(network, EmotionNetwork):
        files[bundle.COALITIONS] = graphs.coalitions(network, chosen)
        difference = parity.coalitions(network, chosen, open_session(files[bundle.COALITIONS], bundle.COALITIONS))
        _report(bundle.COALITIONS, files[bundle.COALITIONS], difference)
    with torch.inference_mode():
        outputs = network(torch.from_numpy(bundle.canary_input(record.profile, chosen)))
    manifest = Manifest(
        format=bundle.FORMAT,
        name=name,
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        profile=record.profile,
        feature_specification=record.feature_specification,
        baseline="training mean",
        temperature=record.temperature,
        threshold=record.threshold,
        canary=(outputs[0] if isinstance(outputs, tuple) else outputs)[0].tolist(),
        card=record.card,
    )
    parameters = sum(parameter.numel() for parameter in network.parameters())
    files[bundle.SCALER] = _json(record.scaler)
    files[bundle.LABELS] = _json({"classes": record.classes})
    files[bundle.CARD] = card.text(manifest, record.classes, parameters).encode()
    return bundle.write(out, manifest, files)


def _name(trained: Checkpoint) -> str:
    """What the training run was called, if its card says so."""
    training = trained.record.card.get("training")
    return str(training.get("name", "")) if isinstance(training, dict) else ""


def _report(name: str, graph: bytes, difference: float) -> None:
    print(f"{name}: {len(graph):,} bytes, equal to the network within {difference:.1e}")


def _json(value: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value)) + b"\n"


if __name__ == "__main__":
    sys.exit(main())
