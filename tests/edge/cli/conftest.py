"""A short recording for the command line's tests."""

from tests.terminal import clip

__all__ = ["clip"]
