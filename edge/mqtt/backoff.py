"""How long to wait before the next attempt to connect: exponential, with full jitter."""

import random
from collections.abc import Callable

FIRST_S = 4.0  # the bound of the first delay; it doubles with each failure


class Backoff:
    """Delays drawn from 0 to a bound that doubles, so that a thousand devices do not come back in the same second."""

    def __init__(self, longest_s: float, draw: Callable[[float, float], float] = random.uniform) -> None:
        self._longest_s = longest_s
        self._draw = draw
        self._bound_s = min(FIRST_S, longest_s)

    def delay(self, served_s: float = 0.0) -> float:
        """Seconds to wait after a connection that lasted ``served_s``; a long one makes the next delays short again."""
        if served_s > self._longest_s:
            self._bound_s = min(FIRST_S, self._longest_s)
        bound, self._bound_s = self._bound_s, min(2 * self._bound_s, self._longest_s)
        return self._draw(0.0, bound)

    def after_takeover(self) -> float:
        """Seconds to wait when another client goes by the same name: two that hurry would only throw each other out."""
        self._bound_s = self._longest_s
        return self._draw(self._longest_s / 2, self._longest_s)
