"""``python -m export``: a checkpoint becomes a verified bundle."""

import argparse
import datetime
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import torch

from edge.errors import AffectdError, UsageError
from edge.features import SPEECH, FeatureSet
from edge.model.adapter import SETTINGS
from edge.model.bundle import Bundle, write
from edge.model.choice import bundle_folder
from edge.model.manifest import (
    CARD,
    COALITIONS,
    ENCODER,
    FORMAT,
    LABELS,
    MODEL,
    SCALER,
    Manifest,
    canary_input,
    encoder_canary_input,
)
from edge.model.runtime import open_session
from export import card, graphs, maps, parity, voices, waveform
from export import intensity as strength
from train.checkpoint import Checkpoint, read_checkpoint
from train.intensity import read_fitted


def main(arguments: Sequence[str] | None = None) -> int:
    """Export the checkpoint that the command line names; the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m export",
        description="Turn a checkpoint into a model bundle, and prove that it computes the same.",
    )
    origin = parser.add_mutually_exclusive_group()
    origin.add_argument("--checkpoint", type=Path, metavar="FILE", help="what `python -m train fit` wrote")
    origin.add_argument(
        "--bundle",
        metavar="DIR",
        help="a bundle to add to, or to write the --waveform of: a folder, default (if not named) or light",
    )
    parser.add_argument(
        "--waveform",
        action="store_true",
        help="write the graphs from sound to verdict, for browsers and phones, in place of a bundle",
    )
    parser.add_argument("--intensity", type=Path, metavar="FILE", help="what `python -m train intensity` wrote")
    parser.add_argument("--voices", type=Path, metavar="FILE", help="what `python -m train voices` wrote")
    parser.add_argument("--map", type=Path, metavar="FILE", help="what `python -m train maps` wrote")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the folder, replaced whole")
    parser.add_argument("--name", help="the bundle's name; by default that of its training run")
    parser.add_argument("--debug", action="store_true", help="show the trace of an error")
    options = parser.parse_args(arguments)
    if not (options.checkpoint or options.bundle or options.waveform):
        parser.error("one of the arguments --checkpoint --bundle --waveform is required")
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    try:
        if options.waveform:
            return _waveform(options)
        if options.checkpoint:
            trained = read_checkpoint(options.checkpoint)
            written = export(trained, options.out, options.name or _name(trained) or options.out.resolve().name)
        else:
            written = Bundle.load(_folder(options.bundle))
        if options.intensity:
            written = strength.added(written, read_fitted(options.intensity), options.out)
        if options.voices:
            written = voices.added(written, options.voices, options.out)
        if options.map:
            written = maps.added(written, options.map, options.out)
        if options.bundle and not (options.intensity or options.voices or options.map):
            raise UsageError(
                "--bundle needs --waveform, or --intensity FILE, --voices FILE or --map FILE, which is to be added to "
                "it; or give --checkpoint"
            )
    except AffectdError as error:
        if options.debug:
            raise
        print(f"export: {error}", file=sys.stderr)
        return error.exit_code
    print(f"{written.path}: {written.name}, {', '.join(written.labels)}; {written.digest}")
    return 0


def _waveform(options: argparse.Namespace) -> int:
    """Write the graphs from sound; the exit code."""
    if options.checkpoint or options.intensity or options.voices or options.map or options.name:
        raise UsageError("--waveform takes a bundle as it is: give --bundle DIR and --out DIR alone")
    bundle = Bundle.load(_folder(options.bundle or "default"))
    worst = waveform.write(bundle, options.out)
    print(f"{options.out}: {bundle.name} from sound to verdict, equal to the device within {worst:.1e}")
    return 0


def _folder(named: str) -> Path:
    return bundle_folder(named)[0]


def export(trained: Checkpoint, out: Path, name: str) -> Bundle:
    """Write the bundle of a trained network to ``out``, verified; BundleError where it is not what the device wants."""
    network, hand_made = trained.network(), trained.features
    speech = trained.speech.module() if trained.speech else None
    chosen = FeatureSet((*hand_made.families, SPEECH), trained.speech.width) if trained.speech else hand_made
    files = {MODEL: graphs.model(network)}
    difference = parity.model(network, open_session(files[MODEL], MODEL))
    _report(MODEL, files[MODEL], difference)
    if trained.profile == "frames":
        files[COALITIONS] = graphs.coalitions(network, chosen)
        difference = parity.coalitions(network, chosen, open_session(files[COALITIONS], COALITIONS))
        _report(COALITIONS, files[COALITIONS], difference)
    encoder_canary: list[float] = []
    if speech is not None:
        whole = graphs.encoder(speech)
        difference = parity.encoder(speech, open_session(whole, ENCODER))
        files[ENCODER] = graphs.quantised(whole)
        _report(ENCODER, files[ENCODER], difference, "before its weights became 8 bits")
        encoder_canary = _encoder_canary(files[ENCODER], trained)
    with torch.inference_mode():
        canary = torch.from_numpy(canary_input(trained.profile, chosen))
        logits, *_ = network(canary if trained.profile == "frames" else canary.unsqueeze(1))
    manifest = Manifest(
        format=FORMAT,
        name=name,
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        profile=trained.profile,
        feature_specification=chosen.specification,
        baseline="training mean",
        temperature=trained.calibration.temperature,
        threshold=trained.threshold,
        adapters=dict(SETTINGS),
        calibration=trained.calibration if trained.calibration.measures else None,
        canary=logits[0].tolist(),
        encoder_canary=encoder_canary,
        card=trained.card,
    )
    parts = [network] if speech is None else [network, speech]
    parameters = sum(parameter.numel() for part in parts for parameter in part.parameters())
    files[SCALER] = _json(trained.scaler_record)
    files[LABELS] = _json({"classes": trained.classes})
    files[CARD] = card.text(manifest, trained.classes, parameters).encode()
    return write(out, manifest, files)


def _name(trained: Checkpoint) -> str:
    """What the training run was called, if its card says so."""
    training = trained.card.get("training")
    return str(training.get("name", "")) if isinstance(training, dict) else ""


def _encoder_canary(graph: bytes, trained: Checkpoint) -> list[float]:
    """The columns of the last frame, scaled, that this encoder computes of what every device tries it on."""
    (columns,) = open_session(graph, ENCODER).run(["speech"], {"log_mel": encoder_canary_input()})
    count = len(trained.features.names)
    scaled = (columns[0, -1] - trained.scaler.mean[count:]) / trained.scaler.scale[count:]
    return [float(value) for value in scaled]


def _report(name: str, graph: bytes, difference: float, when: str = "") -> None:
    print(f"{name}: {len(graph):,} bytes, equal to the network within {difference:.1e} {when}".rstrip())


def _json(value: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value)) + b"\n"


if __name__ == "__main__":
    sys.exit(main())
