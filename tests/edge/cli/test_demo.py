"""The main job, as a newcomer starts it."""

import json

from tests.conftest import affectd


def test_demo_shows_events_that_came_back_over_mqtt() -> None:
    done = affectd("demo", "--json")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    events = [line["payload"] for line in lines if line["topic"] == "event"]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert len(events) == 7
    assert [line["payload"] for line in lines if line["topic"] == "status"] == ["online", "offline"]
