from tests.untrained import bundles, checkpoints, voice

__all__ = ["bundles", "checkpoints", "voice"]
