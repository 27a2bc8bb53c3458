"""Topics that the broker refuses: each is given up, named once, and tried again on the next connection or later."""

import logging
import time
from collections import Counter
from collections.abc import Callable
from typing import Literal

from edge import log

AGAIN_S = 300.0  # after which a refused topic is tried again, in case somebody has mended the access list
AGAIN_COSTLY_S = 86_400.0  # the same, where the broker hangs up for it
STRIKES = 3  # connections in a row that end while a topic alone is in flight: then it is to blame

_MOST = 100  # that are kept in mind

Action = Literal["publish", "subscribe"]

_logger = logging.getLogger("affectd")


class Refusals:
    """What was refused, and until when it is left alone. Used by the connection's thread alone."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until: dict[tuple[str, Action], float] = {}
        self._costly: set[tuple[str, Action]] = set()  # those for which the broker hangs up
        self._named: set[tuple[str, Action]] = set()
        self._strikes: Counter[tuple[str, Action]] = Counter()

    def reconnected(self) -> None:
        """A new connection: what can be tried without losing it may be tried again."""
        self._until = {key: until for key, until in self._until.items() if key in self._costly}

    def allows(self, topic: str, action: Action = "publish") -> bool:
        """Whether it may be tried."""
        return self._clock() >= self._until.get((topic, action), 0.0)

    def refused(self, topic: str, reason: str, action: Action = "publish", *, hung_up: bool = False) -> None:
        """The broker has said no: leave the topic alone for a while, and name it, once."""
        key = (topic, action)
        if key not in self._until and len(self._until) >= _MOST:
            return  # answers that requests want elsewhere: no request shall fill the memory, or the log
        self._until[key] = self._clock() + (AGAIN_COSTLY_S if hung_up else AGAIN_S)
        if hung_up:
            self._costly.add(key)
        if key not in self._named:
            self._named.add(key)
            todo = "allow it in the broker's access list; everything else goes on"
            _logger.warning(log.line("broker", refuses=action, topic=topic, error=reason, todo=todo))

    def accepted(self, topic: str, action: Action = "publish") -> None:
        """The broker has said yes."""
        key = (topic, action)
        self._until.pop(key, None)
        self._costly.discard(key)
        self._strikes.pop(key, None)
        self._named.discard(key)

    def suspected(self, topic: str, action: Action) -> None:
        """The connection ended, without a word, while nothing but this was in flight."""
        self._strikes[topic, action] += 1
        if self._strikes[topic, action] >= STRIKES:
            self.refused(topic, "the broker hangs up on it", action, hung_up=True)
