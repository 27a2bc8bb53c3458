from tests.room import room
from tests.untrained import bundles, checkpoints, voice

__all__ = ["bundles", "checkpoints", "room", "voice"]
