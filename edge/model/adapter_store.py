"""The adapter on disk between runs: a few hundred numbers, and no audio among them."""

import logging
from pathlib import Path

from edge import log
from edge.model.bundle import Bundle

FILE_NAME = "adapter.json"  # in the node's state folder
SAVE_EVERY_S = 60.0  # of speech going on; a memory card wears

_logger = logging.getLogger("affectd")


class AdapterStore:
    """An adapter and its file. A file that another bundle wrote is not taken up. Belongs to one thread."""

    def __init__(self, path: Path, bundle: Bundle) -> None:
        self._path = path
        self._bundle = bundle
        self.adapter = bundle.adapter("source")
        self.adapter.load(path, bundle.digest)
        self._saved = self.adapter.utterances
        self._saved_at = 0.0
        self._repeats = log.Repeats()

    @property
    def utterances(self) -> int:
        """How many utterances the adapter has heard; any thread may ask."""
        return self.adapter.utterances

    def save_in_time(self, now: float) -> None:
        """Save, unless that was done less than ``SAVE_EVERY_S`` ago; ``now`` is monotonic."""
        if now - self._saved_at >= SAVE_EVERY_S:
            self._saved_at = now
            self.save()

    def save(self) -> None:
        """Write what has been learnt since the last time; a disk that refuses costs a warning, not the daemon."""
        if self.adapter.utterances == self._saved:
            return
        try:
            self.adapter.save(self._path, self._bundle.digest)
            self._saved = self.adapter.utterances
        except OSError as error:
            if self._repeats.due(str(error.strerror), self._saved_at):
                _logger.warning(log.line("adapter", path=self._path, error=str(error), todo="kept in memory"))

    def forget(self) -> None:
        """Empty the adapter and remove its file; a disk that refuses costs a warning."""
        self.adapter.forget()
        self._saved = 0
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            _logger.warning(log.line("adapter", path=self._path, error=str(error), todo="forgotten in memory alone"))
