"""Calls that hang: given up, undone once they end, and bounded in number."""

import threading
from collections.abc import Iterator

import pytest

from edge.attempts import MOST, Attempts
from tests.conftest import until


@pytest.fixture
def answer() -> Iterator[threading.Event]:
    """Until it is set, what waits for it hangs."""
    event = threading.Event()
    yield event
    event.set()


def ignore(_: object) -> None:
    pass


def test_what_a_call_returns_or_raises_comes_back() -> None:
    attempts = Attempts("test")
    assert attempts.make(lambda: 7, lambda _: True, ignore) == 7
    with pytest.raises(ZeroDivisionError):
        attempts.make(lambda: 1 // 0, lambda _: True, ignore)


def test_a_call_that_was_given_up_is_undone_once_it_ends(answer: threading.Event) -> None:
    undone: list[int | None] = []
    assert Attempts("test").make(lambda: answer.wait(60) and 7, lambda s: s < 0.3, undone.append) is None
    assert undone == []
    answer.set()
    until(lambda: undone == [7])


def test_what_the_wait_raises_gives_the_call_up(answer: threading.Event) -> None:
    def too_long(seconds: float) -> bool:
        if seconds > 0.3:
            raise OSError("too long")
        return True

    with pytest.raises(OSError, match="too long"):
        Attempts("test").make(lambda: answer.wait(60), too_long, ignore)


def test_only_so_many_may_hang(answer: threading.Event) -> None:
    attempts = Attempts("test")
    for _ in range(MOST):
        attempts.make(lambda: answer.wait(60), lambda _: False, ignore)
    with pytest.raises(OSError, match="hang in the resolver"):
        attempts.make(lambda: 7, lambda _: True, ignore)
    answer.set()
    until(lambda: attempts_end(attempts))


def attempts_end(attempts: Attempts) -> bool:
    try:
        return attempts.make(lambda: 7, lambda _: True, ignore) == 7
    except OSError:
        return False
