"""What a run computes on: Lightning Fabric, as the configuration says."""

import logging
from pathlib import Path

from lightning_fabric import Fabric
from lightning_fabric.loggers.tensorboard import TensorBoardLogger
from lightning_fabric.utilities.exceptions import MisconfigurationException

from edge.errors import ConfigError
from train.settings import Settings

PRECISIONS = {"float32": "32-true", "bfloat16": "bf16-mixed"}
BOARD = "tensorboard"
"""Under a run's folder: what TensorBoard shows."""


def launch(settings: Settings, folder: Path) -> Fabric:
    """The devices of a run, its processes started: one for each device, on every node.

    The command that was called is started once more for each further device of this node; where something else has
    started one process for each (torchrun, Slurm), they join. Curves for TensorBoard go into ``folder``.
    """
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    try:
        fabric = Fabric(
            accelerator=settings.accelerator,
            devices=settings.devices,
            num_nodes=settings.nodes,
            strategy=settings.strategy,
            precision=PRECISIONS[settings.precision],  # type: ignore[arg-type]
            loggers=TensorBoardLogger(folder, name=BOARD, version=""),
        )
        fabric.launch()
    except (MisconfigurationException, TypeError, ValueError, RuntimeError) as error:
        asked = f"accelerator {settings.accelerator}, devices {settings.devices}, nodes {settings.nodes}"
        reason = " ".join(str(error).split()).rstrip(".")
        raise ConfigError([f"This machine cannot train on {asked} ({reason}); change these."]) from error
    return fabric
