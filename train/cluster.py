"""Work spread over a Dask cluster, for corpora that outgrow one machine."""

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from edge.errors import AffectdError, UsageError

PATIENCE = 5.0
"""Seconds that a scheduler has to answer, and to name a worker."""

Item = TypeVar("Item")
Result = TypeVar("Result")


def spread(task: Callable[[Item], Result], items: Sequence[Item], address: str) -> Iterator[tuple[int, Result]]:
    """Each item's place and result, as the workers at ``address`` (``tcp://host:port``) finish them.

    What a task raises is raised here. Workers must be able to import what the task is made of.
    """
    try:
        from dask.distributed import Client, KilledWorker, as_completed
        from distributed.comm import CommClosedError
    except ImportError as error:
        raise UsageError(
            "--dask needs Dask, which is not installed: pip install 'dask[distributed]', or leave --dask out."
        ) from error
    try:
        client = Client(address, timeout=PATIENCE)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"No Dask scheduler answers at {address} ({error}); start one with `dask scheduler`, "
            "or name it as tcp://host:port."
        ) from error
    logging.getLogger("distributed.client").setLevel(
        logging.CRITICAL
    )  # what it has to say is said below, in a sentence
    with client:
        try:
            client.wait_for_workers(1, timeout=PATIENCE)
        except TimeoutError as error:
            raise UsageError(
                f"The Dask scheduler at {address} has no workers; start some with `dask worker {address}`."
            ) from error
        places = {future: place for place, future in enumerate(client.map(task, items, pure=False))}
        try:
            for future, result in as_completed(places, with_results=True):
                if future.status != "finished":  # Dask gives, and does not raise, what went with the scheduler
                    raise lost(address, future.status)
                yield places.pop(future), result
        except (KilledWorker, CommClosedError) as error:
            raise lost(address, " ".join(str(error).split())) from error


def lost(address: str, reason: str) -> AffectdError:
    """The error of a cluster that ended before its work did."""
    return AffectdError(
        f"The Dask cluster at {address} was lost before all was done ({reason}); what is done is kept, so call again."
    )
