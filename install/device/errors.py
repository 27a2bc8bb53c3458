"""The error of an installation: one sentence that says what to do."""


class InstallError(Exception):
    """The installation failed; what ran before still runs."""
