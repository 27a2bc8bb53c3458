"""Uninstalling where the broker is away."""

from pathlib import Path

import pytest

from install.device import removal
from install.device.layout import Layout


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("sleep 60", "the broker does not answer within"),
        ("echo 'affectd: the broker x:1883 cannot be reached' >&2; exit 1", "the broker x:1883 cannot be reached"),
        ("echo cleared", None),
    ],
)
def test_a_broker_that_does_not_answer_costs_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, said: str | None
) -> None:
    monkeypatch.setattr(removal, "_WITHDRAW_S", 0.5)
    layout = Layout(destdir=tmp_path)
    program = layout.current / "bin" / "affectd"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    layout.configuration.parent.mkdir(parents=True)
    layout.configuration.write_text("node: kitchen\n")
    sentences: list[str] = []
    removal._clear_topics(layout, sentences.append)
    if said is None:
        assert sentences == []
    else:
        (sentence,) = sentences
        assert str(layout.configuration) in sentence
        assert said in sentence
