"""The voices on disk between runs, where their owner wants them published: directions and histories, and no audio."""

import hashlib
import logging
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta

from edge import files, log
from edge.model import memory
from edge.model.bundle import Bundle
from edge.model.learnt_file import LearntFile
from edge.model.manifest import VOICE
from edge.model.voices import MOST, Voice, Voices

FILE_NAME = "voices.json"  # in the node's state folder
FORMAT = 1

_logger = logging.getLogger("affectd")


class SavedVoice(msgspec.Struct, frozen=True, kw_only=True):
    """One voice. ``direction`` is float32, little-endian; ``history`` is the adapter's, None where it has none."""

    id: Annotated[str, Meta(pattern="^v[0-9]{1,9}$")]
    name: str = ""
    ignored: bool = False
    utterances: Annotated[int, Meta(ge=1)]
    direction: bytes
    history: dict[str, Any] | None = None


class SavedVoices(msgspec.Struct, frozen=True, kw_only=True):
    """The file. ``network`` is the hash of what hears the directions, ``bundle`` that of what the histories are of."""

    format: int = FORMAT
    network: str
    bundle: str
    founded: Annotated[int, Meta(ge=0)]
    voices: Annotated[list[SavedVoice], Meta(max_length=MOST)]


class VoiceStore:
    """The voices at a microphone and their file, if they have one. Belongs to one thread."""

    def __init__(self, voices: Voices, bundle: Bundle, path: Path | None) -> None:
        """``path``: where they outlive the process; None keeps them in memory alone."""
        self.voices = voices
        self._bundle = bundle
        self._file = LearntFile("voices", path) if path else None
        self._saved: bytes | None = None  # a hash of it: what it holds is to be forgotten
        if path is not None:
            self._load(path)
            self.save()  # a folder that cannot be written is said at once, not when the first voice is lost

    @property
    def published(self) -> bool:
        """Whether they are the owner's to name, and outlive the process."""
        return self._file is not None

    def save_in_time(self, now: float) -> None:
        """Save, unless that was done shortly before; ``now`` is monotonic."""
        if self._file is not None and self._file.due(now):
            self.save()

    def save(self) -> None:
        """Write what has changed since the last time."""
        if self._file is None:
            return
        content = msgspec.json.encode(self._state())
        digest = hashlib.sha256(content).digest()
        if digest == self._saved:
            return
        todo = "kept in memory alone: they are gone with a restart"
        if self._file.write(partial(files.replace, self._file.path, content, 0o600), todo):
            self._saved = digest
        del content
        memory.scrub()  # before another thread takes up what is free

    def forget(self) -> None:
        """Forget everybody and remove the file."""
        self.voices.forget()
        self._saved = None
        if self._file is not None:
            self._file.remove()

    def _state(self) -> SavedVoices:
        return SavedVoices(
            network=self._network,
            bundle=self._bundle.digest,
            founded=self.voices.founded,
            voices=[
                SavedVoice(
                    id=one.id,
                    name=one.name,
                    ignored=one.ignored,
                    utterances=one.utterances,
                    direction=np.asarray(one.direction, "<f4").tobytes(),
                    history=one.history.state() if one.history else None,
                )
                for one in self.voices.kept
            ],
        )

    @property
    def _network(self) -> str:
        return self._bundle.manifest.files[VOICE]

    def _load(self, path: Path) -> None:
        """Take up what was saved: nothing of another network's, and no history of another bundle's."""
        try:
            saved = msgspec.json.decode(path.read_bytes(), type=SavedVoices)
            if saved.format != FORMAT:
                raise ValueError(f"its format is {saved.format}, not {FORMAT}")
            voices = [self._restored(one, own=saved.bundle == self._bundle.digest) for one in saved.voices]
        except FileNotFoundError:
            return
        except (OSError, ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors
            _logger.warning(log.line("voices", path=path, error=str(error), todo="nobody is known: they start afresh"))
            return
        self.voices.founded = saved.founded  # no id is given twice
        if saved.network != self._network:
            todo = "it is of another bundle: nobody is known, they start afresh"
            _logger.warning(log.line("voices", path=path, forgotten=len(voices), todo=todo))
            return
        self.voices.kept = voices

    def _restored(self, saved: SavedVoice, *, own: bool) -> Voice:
        """A saved voice; with its history if that is our ``own`` bundle's. ValueError where it is damaged."""
        direction = np.frombuffer(saved.direction, "<f4").astype(np.float32)
        if not len(direction) or not np.isclose(np.linalg.norm(direction), 1, atol=1e-3):  # NaN is not close either
            raise ValueError(f"{saved.id} has no direction")
        history = self.voices.fresh() if self.voices.fresh else None
        if history and own and saved.history is not None:
            history.restore(saved.history)
        return Voice(saved.id, direction, saved.utterances, history, saved.name, saved.ignored)
