"""A record on its way from the journal to the broker."""

from dataclasses import dataclass

LATE_S = 30.0  # what has waited longer than this is not published live


@dataclass(frozen=True)
class Delivery:
    """One message for the topic ``journal``: the event ``seq``, or a gap that ends with it."""

    seq: int
    id: str
    payload: bytes
