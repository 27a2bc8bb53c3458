"""Memory between the C library and the system: held while somebody speaks, given back while nobody does."""

import contextlib
import ctypes
import sys

HELD = 32 << 20  # bytes: the largest threshold that glibc takes

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _PERTURB, _ARENA_MAX = -1, -3, -6, -8  # malloc.h
_CACHED, _CACHE = range(24, 1033, 16), 16  # bytes; how many of a size glibc's cache of a thread holds at most
_LARGEST_OBJECT, _OBJECTS = 512, 2 << 20  # bytes
_PIECES = (1 << 20, 1 << 16, 1 << 12, 1 << 9, 1 << 7)  # bytes


def hold() -> None:
    """Keep freed memory for the next inference (mallopt(3)): fresh pages cost a quarter of an explanation's time.

    In one arena for all threads, since what one of them has freed another one cannot use.
    """
    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        for parameter, value in ((_TRIM_THRESHOLD, HELD), (_MMAP_THRESHOLD, HELD), (_ARENA_MAX, 1)):
            library.mallopt(parameter, value)


class _Usage(ctypes.Structure):
    """``struct mallinfo2`` of mallinfo(3): bytes, as far as they are read here."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost",
        )
    )  # fmt: skip


def scrub_objects() -> None:
    """Overwrite what small objects of Python left in the interpreter's own allocator: texts, and short bytes.

    That keeps every size apart, in steps of 16 bytes (Python/C API, *Memory Management*): fills two megabytes of each.
    Costs a tenth of a second; for when somebody wants names forgotten.
    """
    header = sys.getsizeof(b"")
    for size in range(48, _LARGEST_OBJECT + 1, 16):
        fill = bytearray(b"\xff" * (size - header))
        taken = [bytes(fill) for _ in range(_OBJECTS // size)]
        del taken


def scrub() -> None:
    """Overwrite what was freed, then ``release``: pages that are free in part would keep what was in them.

    Takes all that is free, largest pieces first, with an allocator that fills what it hands out (mallopt(3),
    M_PERTURB), until it would have to ask the system for more. Costs some milliseconds; for when somebody wants
    something forgotten. Nothing where the C library is another one.
    """
    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        library.malloc.restype, library.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
        library.free.restype, library.free.argtypes = None, [ctypes.c_void_p]
        library.mallinfo2.restype = _Usage
        library.sbrk.restype, library.sbrk.argtypes = ctypes.c_void_p, [ctypes.c_ssize_t]
        library.mallopt(_PERTURB, 0xFF)
        taken = []
        try:
            for size in _CACHED:  # what this thread freed last waits apart, and is handed out as it is
                taken += [library.malloc(size) for _ in range(_CACHE)]
                for piece in taken[-_CACHE:]:
                    ctypes.memset(piece, 0xFF, size)
            for size in _PIECES:
                end = library.sbrk(0)
                # No more than fits: without ``hold`` large pieces come from elsewhere, and what is free stays free.
                for _ in range(library.mallinfo2().fordblks // size):
                    taken.append(library.malloc(size))
                    if library.sbrk(0) != end:
                        break
        finally:
            library.mallopt(_PERTURB, 0)
            for piece in taken:
                library.free(piece)
    release()


def release() -> None:
    """Return what is free (malloc_trim(3)): 10 MB after long speech. Nothing where the C library is another one."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
