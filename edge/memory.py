"""Memory between the C library and the system: held while somebody speaks, given back while nobody does."""

import contextlib
import ctypes

HELD = 32 << 20  # bytes: the largest threshold that glibc takes

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # malloc.h: M_TRIM_THRESHOLD, M_MMAP_THRESHOLD


def hold() -> None:
    """Keep freed memory for the next inference (mallopt(3)): fresh pages cost a quarter of an explanation's time."""
    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        for threshold in (_TRIM_THRESHOLD, _MMAP_THRESHOLD):
            library.mallopt(threshold, HELD)


def release() -> None:
    """Return what is free (malloc_trim(3)): 10 MB after long speech. Nothing where the C library is another one."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
