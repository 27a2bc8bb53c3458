"""Findings of recordings as tables and files: the objects that ``affectd analyse`` prints."""

import csv
import io
from collections.abc import Iterable, Sequence

import msgspec

from edge.cli.analyse import UtteranceResult


def lines(findings: Iterable[UtteranceResult]) -> bytes:
    """JSON, one finding a line, as ``affectd analyse`` writes it."""
    return b"".join(msgspec.json.encode(finding) + b"\n" for finding in findings)


def rows(findings: Iterable[UtteranceResult]) -> list[dict[str, str | float]]:
    """A row for each finding: what was said, how sure, each label's probability, and the families' shares in it."""
    return [
        {
            "file": finding.file,
            "start_s": finding.start_s,
            "end_s": finding.end_s,
            "emotion": finding.emotion,
            "confidence": finding.confidence,
            **({} if finding.intensity is None else {"intensity": finding.intensity}),
            **{f"p_{label}": share for label, share in finding.probabilities.items()},
            **(
                {f"lmac_{family}": share for family, share in finding.explanation.families.items()}
                if finding.explanation
                else {}
            ),
        }
        for finding in findings
    ]


def table(rows: Sequence[dict[str, str | float]]) -> bytes:
    """Rows as CSV (RFC 4180), UTF-8; a column for every key that any row has."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, columns, restval="")
    writer.writeheader()
    writer.writerows({key: _harmless(value) for key, value in row.items()} for row in rows)
    return file.getvalue().encode()


def _harmless(value: str | float) -> str | float:
    """Prevents a file name from being a formula in a spreadsheet (CWE-1236)."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value
