"""Memory between the C library and the system: held while somebody speaks, given back while nobody does."""

import contextlib
import ctypes

HELD = 32 << 20  # bytes: the largest threshold that glibc takes

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8  # malloc.h


def hold() -> None:
    """Keep freed memory for the next inference (mallopt(3)): fresh pages cost a quarter of an explanation's time.

    In one arena for all threads, since what one of them has freed another one cannot use.
    """
    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        for parameter, value in ((_TRIM_THRESHOLD, HELD), (_MMAP_THRESHOLD, HELD), (_ARENA_MAX, 1)):
            library.mallopt(parameter, value)


def release() -> None:
    """Return what is free (malloc_trim(3)): 10 MB after long speech. Nothing where the C library is another one."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
