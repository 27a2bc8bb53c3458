"""``python -m train``: manifest, fit, judge, evaluate, the same for intensity and voices, and listenable maps."""

import argparse
import json
import sys
from pathlib import Path

import msgspec
import torch
from lightning_fabric.utilities import rank_zero_only

from edge.errors import AffectdError, UsageError
from edge.model.bundle import Bundle
from train import evaluate as evaluation
from train import intensity as strength
from train import map_fit, pairs, protocols, report, voice_fit, voices
from train.chain import Chain
from train.conditions import CONDITIONS, condition
from train.layouts import LAYOUTS
from train.listen import ADAPTATIONS, HISTORIES
from train.run import Material, run
from train.scan import counts, scan, write_manifest
from train.settings import Settings, data_folders, decode_settings, read_labels, read_settings, sounds_folder


@rank_zero_only
def say(text: str) -> None:
    """Prints what a run has to say once, however many processes it has."""
    sys.stdout.write(text)


def fit(arguments: argparse.Namespace) -> None:
    """Trains one model and leaves it in the output folder."""
    settings = settings_of(arguments)
    torch.set_num_threads(arguments.threads)
    folder = arguments.out or Path("runs") / settings.name
    if not arguments.resume:
        (folder / "last.pt").unlink(missing_ok=True)
    run(settings, material_of(arguments), folder, arguments.start)
    say(f"{folder / 'checkpoint.pt'}\n")


def settings_of(arguments: argparse.Namespace) -> Settings:
    """The configuration file, and over it what the command line says."""
    asked = {name: getattr(arguments, name, None) for name in ("seed", "epochs", "teachers")}
    said = {name: value for name, value in asked.items() if value is not None}
    return msgspec.structs.replace(read_settings(arguments.config), **said)


def material_of(arguments: argparse.Namespace) -> Material:
    """Where the recordings lie, and what computes their features."""
    root, *more = arguments.root or data_folders()
    return Material(root, arguments.cache, arguments.jobs, arguments.dask, tuple(more), arguments.sounds)


def evaluate(arguments: argparse.Namespace) -> None:
    """Scores one bundle; a table for people, one JSON object for machines."""
    options = {key: value for key, value in vars(arguments).items() if key not in ("command", "call", "json")}
    scores = evaluation.evaluate(evaluation.Evaluation(**options))
    sys.stdout.write(json.dumps(scores) + "\n" if arguments.json else table(scores))


def intensity(arguments: argparse.Namespace) -> None:
    """Fits the head for the intensity and scores it: ``python -m export --intensity`` puts it into a bundle."""
    settings = decode_settings(arguments.config, strength.IntensitySettings, "configs/intensity.yaml")
    root, *more = arguments.root or data_folders()
    split = strength.read_clips(settings, (root, *more), arguments.sounds)
    bundle = Bundle.load(arguments.bundle)
    ear = strength.Ear(bundle, root, arguments.cache, arguments.jobs, arguments.dask, arguments.sounds)
    head, penalties = strength.fit(settings, split, ear)
    scores = strength.report(head, split, ear, settings.seed)
    kept = strength.Fitted(intensity=head, penalties=penalties, scores=scores)
    folder = arguments.out or Path("runs") / f"intensity-{bundle.name}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / strength.FITTED).write_bytes(msgspec.json.encode(kept))
    report.write(
        {"bundle": bundle.name, "penalties": msgspec.to_builtins(penalties), "scores": scores}, folder / "report.json"
    )
    say(json.dumps(scores, indent=1) + f"\n{folder / strength.FITTED}\n")


def evaluate_intensity(arguments: argparse.Namespace) -> None:
    """Scores the intensity of a bundle on the recordings of a manifest."""
    bundle = Bundle.load(arguments.bundle)
    if bundle.manifest.intensity is None:
        raise UsageError(f"{arguments.bundle}: the bundle has no intensity; run `python -m train intensity` first.")
    clips, order = strength.read_manifest(arguments.manifest)
    ear = strength.Ear(bundle, arguments.root, arguments.cache, arguments.jobs, arguments.dask, arguments.sounds)
    named = condition(arguments.condition, arguments.cache, arguments.sounds)
    heard = ear.hear(clips, named, arguments.condition)
    scores = strength.evaluate(bundle.manifest.intensity, heard, order, ear, arguments.adapt, arguments.seed)
    scores = {"bundle": bundle.name, **scores, "condition": arguments.condition}
    text = "".join(f"{name:14} {value}\n" for name, value in scores.items())
    sys.stdout.write(json.dumps(scores) + "\n" if arguments.json else text)


def tell_apart(arguments: argparse.Namespace) -> None:
    """Fits the network that tells voices apart and scores it: ``python -m export --voices`` puts it into a bundle."""
    settings = decode_settings(arguments.config, voice_fit.VoiceFitSettings, "configs/voices.yaml")
    torch.set_num_threads(arguments.threads)
    root, *more = arguments.root or data_folders()
    studio = voice_fit.Studio(root, arguments.cache, arguments.sounds, arguments.jobs)
    split = voice_fit.read_clips(settings, (root, *more), arguments.sounds)
    heard = voice_fit.lessons(settings, split.train, studio, arguments.weights)
    network = voice_fit.fit(settings, heard, arguments.weights)
    folder = arguments.out or Path("runs/voices")
    voice_fit.save(network, folder / voice_fit.FITTED)
    thresholds = voice_fit.choose(network, split.calibration, studio)
    scores = voice_fit.report(network, thresholds, split.test, studio)
    people = sorted({clip.who for clip in split.train})
    fitted = voice_fit.FittedVoices(thresholds=thresholds, scores=scores, people=people)
    spectra = studio.spectra(split.calibration[:: max(1, len(split.calibration) // voice_fit.EXAMPLES)])
    voice_fit.save(network, folder / voice_fit.FITTED, [pairs.middle(one.T) for one in spectra], fitted)
    report.write({"thresholds": msgspec.to_builtins(thresholds), "scores": scores}, folder / "report.json")
    say(json.dumps(scores, indent=1) + f"\n{folder / voice_fit.FITTED}\n")


def evaluate_voices(arguments: argparse.Namespace) -> None:
    """Scores how well a bundle tells voices apart on the recordings of a manifest."""
    options = {key: value for key, value in vars(arguments).items() if key not in ("command", "call", "json")}
    scores = voices.evaluate(evaluation.Evaluation(**options))
    text = "".join(f"{name:14} {'unknown' if value is None else value}\n" for name, value in scores.items())
    sys.stdout.write(json.dumps(scores) + "\n" if arguments.json else text)


def map_out(arguments: argparse.Namespace) -> None:
    """Fits the decoder of listenable maps and scores it: ``python -m export --map`` puts it into a bundle."""
    settings = decode_settings(arguments.config, map_fit.MapFitSettings, "configs/maps.yaml")
    torch.set_num_threads(arguments.threads)
    root, *more = arguments.root or data_folders()
    booth = map_fit.Booth(root, arguments.cache, arguments.sounds)
    bundle = Bundle.load(arguments.bundle)
    split = map_fit.read_clips(bundle, (root, *more))
    folder = arguments.out or Path("runs") / f"map-{bundle.name}"
    if not arguments.resume:
        (folder / map_fit.LAST).unlink(missing_ok=True)
    network = map_fit.fit(settings, Chain(bundle, half=True), split.train, booth, folder / map_fit.LAST)
    scores = map_fit.report(settings, Chain(bundle), network, split.test or split.calibration, booth)
    map_fit.save(network, folder / map_fit.FITTED, map_fit.FittedMap(scores=scores, bundle=bundle.digest))
    report.write({"bundle": bundle.name, "scores": scores}, folder / "report.json")
    say(json.dumps(scores, indent=1) + f"\n{folder / map_fit.FITTED}\n")


def judge(arguments: argparse.Namespace) -> None:
    """Trains and scores every fold of a protocol."""
    settings = settings_of(arguments)
    torch.set_num_threads(arguments.threads)
    folder = arguments.out or Path("runs") / f"{settings.name}-{arguments.protocol.replace('/', '-')}"
    material = material_of(arguments)
    seeds = arguments.seeds or (settings.seed,)
    summary = protocols.judge(arguments.protocol, settings, material, folder, arguments.start, seeds).get("summary")
    say(json.dumps(summary, indent=1) + "\n")


def manifest(arguments: argparse.Namespace) -> None:
    """Scans a folder; the table and the problems go to the screen, the rows to a file."""
    found = scan(arguments.folder, read_labels(arguments.labels), arguments.layout)
    sys.stdout.write("".join(f"{problem}\n" for problem in found.problems))
    if not found.clips:
        raise UsageError(f"{arguments.folder}: no recording there could be named; see the problems above.")
    sys.stdout.write(f"{counts(found.clips)}\n{len(found.clips)} recordings, {len(found.problems)} problems\n")
    if arguments.out:
        write_manifest(found.clips, arguments.out)


def table(scores: dict[str, object]) -> str:
    """The headline figures, one a line."""
    rows = [f"{name:10} {scores[name]:.1%}" for name in ("wa", "uar", "f1_macro", "ece", "accuracy_at_75")]
    return "\n".join([f"n          {scores['n']}", *rows, f"left out   {scores['left_out'] or 'none'}", ""])


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="python -m train", description="Trains and evaluates affectd's models.")
    commands = top.add_subparsers(dest="command", required=True)
    scanning = commands.add_parser("manifest", help="scan a folder of recordings and name every problem")
    scanning.set_defaults(call=manifest)
    scanning.add_argument("folder", type=Path, help="where the recordings lie")
    scanning.add_argument("--layout", choices=sorted(LAYOUTS), default="", help="how files are named (default: guess)")
    scanning.add_argument("--labels", type=Path, default=Path("configs/labels.yaml"), help="synonyms of emotions")
    scanning.add_argument("--out", type=Path, help="write the manifest here")
    fitting = commands.add_parser("fit", help="train a model as a configuration says")
    fitting.set_defaults(call=fit)
    fitting.add_argument("--seed", type=int, help="in place of the configuration's")
    fitting.add_argument("--epochs", type=int, help="in place of the configuration's")
    fitting.add_argument("--resume", action="store_true", help="go on after the last epoch of a killed run")
    judging = commands.add_parser("judge", help="train and score every fold of a protocol")
    judging.set_defaults(call=judge)
    judging.add_argument(
        "--protocol", required=True, help="corpora, random, CORPUS/speakers, CORPUS/5 for five folds, CORPUS/statements"
    )
    judging.add_argument(
        "--seeds", type=int, nargs="+", metavar="N", help="train every fold once with each (default: one)"
    )
    for training in (fitting, judging):
        training.add_argument("--config", type=Path, required=True, help="a YAML file such as configs/train.yaml")
        training.add_argument(
            "--root",
            type=Path,
            action="append",
            help="a data folder; may be given several times (default: the folders of $AFFECTD_DATA, separated by a "
            "colon, else of ../shared/data and ../shared/more those that are there)",
        )
        training.add_argument("--out", type=Path, help="where the run is left (default: under runs/)")
        training.add_argument("--threads", type=int, default=1, help="threads that train")
        training.add_argument("--start", type=Path, help="a checkpoint to begin from instead of random weights")
        training.add_argument(
            "--teachers",
            metavar="PATTERN",
            help="checkpoints to learn from besides, such as 'runs/teachers/{fold}-*/checkpoint.pt'",
        )
    evaluating = commands.add_parser("evaluate", help="score a bundle on the recordings of a manifest")
    evaluating.set_defaults(call=evaluate)
    _add_scoring(evaluating, "a bundle folder", "CSV with path, corpus, speaker, emotion")
    evaluating.add_argument("--adapt", choices=ADAPTATIONS, default="none", help="whose history the adapter has heard")
    evaluating.add_argument(
        "--history",
        choices=HISTORIES,
        default="recorded",
        help="of the clips themselves, or mostly neutral, as in life",
    )
    strengthening, rating = _add_intensity(commands)
    parting, telling = _add_voices(commands)
    mapping = _add_maps(commands)
    for computing in (fitting, judging, evaluating, strengthening, rating, parting, telling, mapping):
        computing.add_argument("--cache", type=Path, default=Path("runs/cache"), help="where features are kept")
        computing.add_argument(
            "--sounds",
            type=Path,
            default=sounds_folder(),
            help="the folder of real sounds for noise (default: $AFFECTD_SOUNDS, else ../shared/sounds)",
        )
        computing.add_argument("--jobs", type=int, default=1, help="processes that compute features")
        computing.add_argument(
            "--dask", metavar="ADDRESS", default="", help="compute them on this Dask cluster instead"
        )
    return top


def _add_scoring(command: argparse.ArgumentParser, bundle: str, manifest: str) -> None:
    """What every command has that scores a bundle on recordings; the two help texts are its own."""
    command.add_argument("--bundle", type=Path, required=True, help=bundle)
    command.add_argument("--manifest", type=Path, required=True, help=manifest)
    command.add_argument("--root", type=Path, required=True, help="the folder that the paths start from")
    command.add_argument(
        "--condition",
        default="near",
        metavar="|".join(CONDITIONS),
        help="as recorded, metres away in a room, among noise, or through a telephone; rooms and noises are none that "
        "training copies have",
    )
    command.add_argument("--seed", type=int, default=1, help="order in which clips are heard")
    command.add_argument("--json", action="store_true", help="print one JSON object instead of a table")


def _add_intensity(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
) -> tuple[argparse.ArgumentParser, argparse.ArgumentParser]:
    """The commands that fit and score the intensity."""
    strengthening = commands.add_parser("intensity", help="fit how strongly an emotion is expressed, for a bundle")
    strengthening.set_defaults(call=intensity)
    _add_fitting(strengthening, "configs/intensity.yaml")
    strengthening.add_argument("--bundle", type=Path, required=True, help="the bundle whose network it listens through")
    rating = commands.add_parser(
        "evaluate-intensity", help="score a bundle's intensity on the recordings of a manifest"
    )
    rating.set_defaults(call=evaluate_intensity)
    _add_scoring(rating, "a bundle folder", "CSV with path, speaker, intensity")
    rating.add_argument(
        "--adapt", choices=strength.PROTOCOLS, default="speaker", help="whose history has been heard (default: speaker)"
    )
    return strengthening, rating


def _add_fitting(command: argparse.ArgumentParser, config: str) -> None:
    """The options of every command that fits a part of a bundle."""
    command.add_argument("--config", type=Path, required=True, help=f"a YAML file such as {config}")
    command.add_argument("--root", type=Path, action="append", help="a data folder; may be given several times")
    command.add_argument("--out", type=Path, help="where the run is left (default: under runs/)")


def _add_voices(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
) -> tuple[argparse.ArgumentParser, argparse.ArgumentParser]:
    """The commands that fit and score what tells voices apart."""
    parting = commands.add_parser("voices", help="fit the network that tells voices apart")
    parting.set_defaults(call=tell_apart)
    _add_fitting(parting, "configs/voices.yaml")
    parting.add_argument("--weights", type=Path, required=True, help="CAM++'s campplus_cn_en_common.pt (Apache-2.0)")
    parting.add_argument("--threads", type=int, default=1, help="threads that train")
    telling = commands.add_parser("evaluate-voices", help="score how a bundle tells voices apart")
    telling.set_defaults(call=evaluate_voices)
    _add_scoring(
        telling,
        "a bundle folder, with voice.onnx",
        "CSV with path, speaker; emotion, sex and corpus (one microphone each) if known",
    )
    return parting, telling


def _add_maps(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> argparse.ArgumentParser:
    """The command that fits the decoder of listenable maps."""
    mapping = commands.add_parser("maps", help="fit what says which part of a sound a verdict rests on, for a bundle")
    mapping.set_defaults(call=map_out)
    _add_fitting(mapping, "configs/maps.yaml")
    mapping.add_argument("--bundle", type=Path, required=True, help="the bundle whose verdicts it explains")
    mapping.add_argument("--threads", type=int, default=1, help="threads that train")
    mapping.add_argument("--resume", action="store_true", help="go on where a killed run was left")
    return mapping


def main() -> int:
    """Runs the command; errors are one sentence."""
    arguments = parser().parse_args()
    try:
        arguments.call(arguments)
    except AffectdError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    except OSError as error:
        sys.stderr.write(f"{error.filename or 'A file'}: {error.strerror or error}; mend that and call again.\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
