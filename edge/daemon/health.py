"""Whether every worker still turns, as a pure judgement over their heartbeats."""


class Pulse:
    """The latest heartbeat of each worker, monotonic seconds. One that never beat is not expected to."""

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self._beats: dict[str, float] = {}

    def beat(self, worker: str, now: float) -> None:
        self._beats[worker] = now

    def stuck(self, now: float) -> list[str]:
        """The workers that have been silent for too long."""
        return [worker for worker, beat in sorted(self._beats.items()) if now - beat > self._patience_s]
