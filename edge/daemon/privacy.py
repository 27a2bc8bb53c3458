"""What affectd holds of what it hears, where and for how long: the guide's table is made of this (``make docs``)."""

import sys
from dataclasses import dataclass
from pathlib import Path

from edge import features
from edge.config import GateSettings, JournalSettings
from edge.daemon.listener import HELD_S, QUEUE_S, SOURCE_S
from edge.explain.recent import KEPT, KEPT_S
from edge.features import SIX
from edge.model.voices import MOST, WAITING

BEGIN, END = "<!-- privacy -->\n", "<!-- end of privacy -->\n"


@dataclass(frozen=True)
class Held:
    """One kind of data."""

    what: str
    where: str
    how_long: str


def held() -> tuple[Held, ...]:
    """Everything, from sound to events, with the limits that the code keeps."""
    gate, journal = GateSettings(), JournalSettings()
    ring_s = gate.max_utterance_s + gate.lead_in_s + 0.5
    analysis_s = features.WINDOW_SAMPLES / 16_000 + 1
    at_once = "at once when *Listening* goes off"
    return (
        Held(
            "sound that waits to be processed",
            "memory",
            f"at most {QUEUE_S:.0f} s of it; wiped {at_once}, and what was just being read {SOURCE_S:.0f} s later",
        ),
        Held(
            "sound of the last seconds, for what comes before an utterance and for the utterance itself",
            "memory, in a ring",
            f"{ring_s:.0f} s (more with a longer `gate.max_utterance_s`), then overwritten by newer sound; wiped "
            f"{at_once}, and {HELD_S:.0f} s after the source has stopped",
        ),
        Held(
            f"the last {analysis_s:.0f} s of the latest utterance, as the features were computed from it",
            "memory",
            f"{KEPT_S:.0f} s; wiped {at_once}, and with *Forget*",
        ),
        Held(
            f"features of recent utterances ({len(SIX.names)} numbers a frame), so that `explain` can be asked",
            "memory",
            f"{KEPT_S:.0f} s, at most {KEPT} utterances; wiped {at_once}, and with *Forget*",
        ),
        Held(
            "the prediction: emotion, confidence, times, the share of each family of features",
            "sent to your broker; on disk only while the broker is away",
            f"until the broker has it, {journal.max_mb:.0f} MiB or {journal.max_days:.0f} days at most",
        ),
        Held(
            "what the adapter has learnt of the voices in the room: a few hundred means and variances",
            "memory, and `/var/lib/affectd`",
            "until you press *Forget*, or `sudo affectd forget`; `model.adapt: false` turns it off",
        ),
        Held(
            f"with a bundle that tells voices apart, what is known of at most {MOST} voices: for each one direction "
            "among a few hundred numbers, and how it usually sounds. It is biometric data",
            "memory; with `voices.mode: publish` also `/var/lib/affectd`, with the names that you gave",
            "until *Forget*, or `sudo affectd forget`, and a restart unless published; `voices.mode: off` turns it off",
        ),
        Held(
            f"the same direction of each of the last {WAITING} utterances that were of none of these voices, since two "
            "that are alike found one",
            "memory",
            f"as that of a voice; wiped {at_once}, too",
        ),
    )


def table() -> str:
    """All that is held, as a table in Markdown."""
    rows = [f"| {row.what} | {row.where} | {row.how_long} |" for row in held()]
    return "\n".join(["| what | where it is | for how long |", "|---|---|---|", *rows]) + "\n"


def filled_in(page: str) -> str:
    """The page with the table between its marks."""
    head, _, rest = page.partition(BEGIN)
    return f"{head}{BEGIN}{table()}{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    guide = Path(sys.argv[1])
    guide.write_text(filled_in(guide.read_text(encoding="utf-8")), encoding="utf-8")
