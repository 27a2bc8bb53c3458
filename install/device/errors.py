"""What can go wrong while installing: one sentence that says what to do."""


class InstallError(Exception):
    """Nothing was changed that matters: what ran before runs still."""
