"""A record on its way from the journal to the broker."""

from dataclasses import dataclass

LATE_S = 30.0  # what has waited longer than this is not published live


@dataclass(frozen=True)
class Delivery:
    """One message for the topic ``journal``; ``key`` is what its acknowledgement is told by."""

    key: tuple[int, bool]
    id: str
    payload: bytes

    @property
    def seq(self) -> int:
        return self.key[0]
