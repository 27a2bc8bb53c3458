"""The adapter on disk between runs: a few hundred numbers, and no audio among them."""

from functools import partial
from pathlib import Path

from edge.model.bundle import Bundle
from edge.model.learnt_file import LearntFile

FILE_NAME = "adapter.json"  # in the node's state folder


class AdapterStore:
    """An adapter and its file. A file that another bundle wrote is not taken up. Belongs to one thread."""

    def __init__(self, path: Path, bundle: Bundle) -> None:
        self._file = LearntFile("adapter", path)
        self._bundle = bundle
        self.adapter = bundle.adapter("source")
        self.adapter.load(path, bundle.digest)
        self._saved = self.adapter.utterances

    @property
    def utterances(self) -> int:
        """How many utterances the adapter has heard; any thread may ask."""
        return self.adapter.utterances

    def save_in_time(self, now: float) -> None:
        """Save, unless that was done shortly before; ``now`` is monotonic."""
        if self._file.due(now):
            self.save()

    def save(self) -> None:
        """Write what has been learnt since the last time."""
        if self.adapter.utterances == self._saved:
            return
        if self._file.write(partial(self.adapter.save, self._file.path, self._bundle.digest), "kept in memory"):
            self._saved = self.adapter.utterances

    def forget(self) -> None:
        """Empty the adapter and remove its file."""
        self.adapter.forget()
        self._saved = 0
        self._file.remove()
