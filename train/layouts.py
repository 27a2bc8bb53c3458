"""How published corpora name their files: one pattern each, and what its codes stand for."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from train.corpora import Clip


@dataclass(frozen=True)
class Layout:
    """A corpus's naming scheme.

    ``pattern`` is searched in the path; its groups may be ``speaker``, ``emotion``, ``intensity`` and ``statement``.
    Codes that ``emotions`` lacks stand for themselves.
    """

    name: str
    pattern: re.Pattern[str]
    emotions: Mapping[str, str] = field(default_factory=dict)
    intensities: Mapping[str, str] = field(default_factory=dict)
    statements: Mapping[str, str] = field(default_factory=dict)
    women: frozenset[str] = frozenset()
    men: frozenset[str] = frozenset()
    language: str = ""

    def read(self, path: str) -> Clip | None:
        """The row of a file by its path, or ``None`` where the path is not of this layout."""
        match = self.pattern.search(path)
        if not match:
            return None
        found = {key: value or "" for key, value in match.groupdict().items()}
        speaker, emotion = found.get("speaker", ""), found["emotion"]
        intensity, statement = found.get("intensity", ""), found.get("statement", "")
        return Clip(
            path=path,
            corpus=self.name or PurePosixPath(path).parts[0],
            speaker=speaker or "unknown",
            emotion=self.emotions.get(emotion, self.emotions.get(emotion.lower(), emotion)),
            sex="F" if speaker in self.women else "M" if speaker in self.men else "",
            intensity=self.intensities.get(intensity, intensity),
            statement=self.statements.get(statement, statement),
            language=self.language,
        )


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(rf"(?:^|/){text}\.\w+$")


RAVDESS = Layout(
    "ravdess",
    _pattern(r"03-01-(?P<emotion>\d\d)-(?P<intensity>\d\d)-(?P<statement>\d\d)-\d\d-(?P<speaker>\d\d)"),
    emotions={
        "01": "neutral", "02": "calm", "03": "happy", "04": "sad",
        "05": "anger", "06": "fear", "07": "disgust", "08": "surprise",
    },
    intensities={"01": "normal", "02": "strong"},
    statements={"01": "Kids are talking by the door", "02": "Dogs are sitting by the door"},
    women=frozenset(f"{actor:02d}" for actor in range(2, 25, 2)),
    men=frozenset(f"{actor:02d}" for actor in range(1, 25, 2)),
    language="en",
)  # fmt: skip

TESS = Layout(
    "tess",
    _pattern(r"(?P<speaker>[OY]AF)_(?P<statement>[a-z]+)_(?P<emotion>[a-z]+)"),
    emotions={"angry": "anger", "ps": "surprise"},
    women=frozenset({"OAF", "YAF"}),
    language="en",
)

EMODB = Layout(
    "emodb",
    _pattern(r"(?P<speaker>\d\d)(?P<statement>[ab]\d\d)(?P<emotion>[WLEAFTN])[a-z]"),
    emotions={
        "W": "anger", "L": "boredom", "E": "disgust", "A": "fear", "F": "happy", "T": "sad", "N": "neutral",
    },
    women=frozenset({"08", "09", "13", "14", "16"}),
    men=frozenset({"03", "10", "11", "12", "15"}),
    language="de",
)  # fmt: skip

EMOVO = Layout(
    "emovo",
    _pattern(r"(?P<emotion>dis|gio|neu|pau|rab|sor|tri)-(?P<speaker>[fm]\d)-(?P<statement>\w+)"),
    emotions={
        "dis": "disgust", "gio": "happy", "neu": "neutral", "pau": "fear",
        "rab": "anger", "sor": "surprise", "tri": "sad",
    },
    women=frozenset({"f1", "f2", "f3"}),
    men=frozenset({"m1", "m2", "m3"}),
    language="it",
)  # fmt: skip

NEMO = Layout(
    "nemo",
    _pattern(r"(?P<speaker>[A-Z]{2}\d)_(?P<emotion>[a-z]+)_\d+"),
    emotions={"happiness": "happy", "sadness": "sad", "surprised": "surprise"},
    language="pl",
)

ASED = Layout(
    "ased",
    _pattern(r"(?P<emotion>[nfhsaNFHSA])\d-(?P<statement>\d\d)-\d\d-\d\d-(?P<speaker>\d\d)"),
    emotions={"n": "neutral", "f": "fear", "h": "happy", "s": "sad", "a": "anger"},
    language="am",
)

SAVEE = Layout(
    "savee",
    _pattern(r"(?P<speaker>DC|JE|JK|KL)[/_](?P<emotion>sa|su|a|d|f|h|n)(?P<statement>\d\d)"),
    emotions={
        "a": "anger", "d": "disgust", "f": "fear", "h": "happy", "n": "neutral", "sa": "sad", "su": "surprise",
    },
    men=frozenset({"DC", "JE", "JK", "KL"}),
    language="en",
)  # fmt: skip

CREMA_D = Layout(
    "cremad",
    _pattern(
        r"(?P<speaker>1\d{3})_(?P<statement>[A-Z]{3})_(?P<emotion>ANG|DIS|FEA|HAP|NEU|SAD)_(?P<intensity>LO|MD|HI|XX)"
    ),
    emotions={"ang": "anger", "dis": "disgust", "fea": "fear", "hap": "happy", "neu": "neutral", "sad": "sad"},
    intensities={"LO": "low", "MD": "medium", "HI": "high", "XX": ""},
    language="en",
)

TUREV = Layout(
    "turev",
    _pattern(r"(?P<emotion>Angry|Calm|Happy|Sad)_(?P<speaker>\d+)_(?P<statement>[^/]+)"),
    emotions={"angry": "anger", "calm": "calm", "happy": "happy", "sad": "sad"},
    language="tr",
)

IITKGP = Layout("iitkgp-sehsc", _pattern(r"(?P<speaker>[^/]+)/session\s?\d+/(?P<emotion>[^/]+)/[^/]+"), language="hi")

SPEAKER_FOLDERS = Layout("", _pattern(r"[^/]+/(?P<speaker>[^/]+)/(?P<emotion>[^/]+)/[^/]+"))

FOLDERS = Layout("", _pattern(r"(?P<emotion>[^/]+)/[^/]+"))

LAYOUTS = {
    "ravdess": RAVDESS,
    "tess": TESS,
    "emodb": EMODB,
    "emovo": EMOVO,
    "nemo": NEMO,
    "ased": ASED,
    "savee": SAVEE,
    "cremad": CREMA_D,
    "turev": TUREV,
    "iitkgp": IITKGP,
    "speakers": SPEAKER_FOLDERS,
    "folders": FOLDERS,
}
"""By the name that ``--layout`` takes; from the most particular to the plainest."""


def read_path(path: str, layout: str = "") -> Clip | None:
    """The row of a file by its path relative to the scanned folder; without ``layout``, the first that fits.

    ``speakers`` (CORPUS/SPEAKER/EMOTION/FILE) is never guessed: a session or a take may look like a speaker.
    """
    tried = [LAYOUTS[layout]] if layout else [found for name, found in LAYOUTS.items() if name != "speakers"]
    return next((clip for clip in (one.read(path) for one in tried) if clip), None)
