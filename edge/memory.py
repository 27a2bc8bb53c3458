"""Memory that the C library keeps after an utterance, given back to the system while nobody speaks."""

import contextlib
import ctypes


def release() -> None:
    """Return what is free (malloc_trim(3)): 10 MB after long speech. Nothing where the C library is another one."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
