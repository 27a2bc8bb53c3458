"""A pytest plugin that ends a run of the fault suite with a table of its results: `-p tests.faults.table`."""

import datetime
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

FAULTS = {
    1: "the broker is down at the start",
    2: "the broker is stopped and started, 20 times",
    3: "the broker is killed, 20 times, with the configuration shipped",
    4: "the connection is reset at every byte of a PUBLISH",
    5: "black hole: a half-open connection",
    6: "acknowledgements are lost",
    7: "the daemon is killed 200 times during an outage",
    8: "power cut after every fsync",
    9: "the disk is full, then read-only",
    10: "an outage beyond the journal's bound",
    11: "damaged and truncated files of the journal",
    12: "1970 at boot, clock jumps of a day",
    13: "a second daemon with the same node",
    14: "Home Assistant's birth message",
    15: "the microphone ends, errs, falls silent, slows down, is pulled out",
    16: "a worker raises",
    17: "frozen inference starves the watchdog, a broker that is down does not",
    18: "hours of sound: memory, descriptors, disk",
    19: "TLS and passwords that do not fit",
    20: "privacy: no file and no message holds the sound",
    21: "hostile messages and files",
    22: "more sound than can be understood",
    32: "privacy: the network of the daemon is watched, and the files that it writes",
    33: "privacy: memory is searched for the sound and its features",
    35: "a terminal that closes, is ASCII, has no room",
    36: "no passwd entry, no home, a state folder that may not be written",
    37: "length fields that recorders leave behind, pipes",
    38: "explanations of the longest utterance allowed",
}
# Tests of the journal itself that prove a fault, by a part of their name.
JOURNAL = {
    "killed_writer": 7, "full_disk": 9, "disk_full": 9, "read_only": 9, "bound": 10, "flipped": 11, "truncated": 11,
    "nonsense": 11, "while_running": 11,
}  # fmt: skip

_outcomes: dict[int, list[tuple[str, float]]] = defaultdict(list)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fault-table", metavar="FILE", help="put the table between the marks in this page")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when != "call" and report.outcome == "passed":
        return
    if report.when == "teardown":
        return
    number = fault_of(report.nodeid.rsplit("::", 1)[-1])
    if number is not None:
        _outcomes[number].append((report.outcome, report.duration))


def fault_of(name: str) -> int | None:
    """Which fault a test is about; None for one that is about none."""
    match = re.match(r"test_f(\d+)_", name)
    return int(match[1]) if match else next((fault for part, fault in JOURNAL.items() if part in name), None)


def table(outcomes: Mapping[int, Sequence[tuple[str, float]]]) -> list[str]:
    """The rows, in Markdown, from the outcome and the seconds of each fault's tests."""
    rows = ["| # | fault | tests | result | seconds |", "|---|---|---|---|---|"]
    for number, title in FAULTS.items():
        found = outcomes.get(number, [])
        bad = {outcome for outcome, _ in found if outcome != "passed"}
        result = "not run" if not found else "holds" if not bad else ", ".join(sorted(bad))
        rows.append(f"| F{number} | {title} | {len(found)} | {result} | {sum(time for _, time in found):.0f} |")
    return rows


def fill_in(page: Path, rows: Sequence[str]) -> None:
    """Put the rows between the marks of the page."""
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    text = page.read_text(encoding="utf-8")
    begin, end = "<!-- results -->\n", "\n<!-- end of results -->"
    head, _, rest = text.partition(begin)
    page.write_text(
        head + begin + "\n".join([f"Run of {today}:", "", *rows]) + end + rest.partition(end)[2], encoding="utf-8"
    )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if not _outcomes:
        return
    rows = table(_outcomes)
    terminalreporter.write_line("\n" + "\n".join(rows))
    if config.getoption("--fault-table"):
        fill_in(Path(config.getoption("--fault-table")), rows)
