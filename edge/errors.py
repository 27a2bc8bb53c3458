"""What can go wrong, as a caller can act on it. Each message says what was wrong, where, and what to do."""


class AffectdError(Exception):
    """Anything affectd reports to a person: one sentence, no trace. Exit code 1."""

    exit_code = 1


class UsageError(AffectdError):
    """The command line or the configuration is wrong. Exit code 2."""

    exit_code = 2


class ConfigError(UsageError):
    """The configuration file is wrong; ``problems`` holds one sentence for each error in it."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class AudioError(AffectdError):
    """Audio that cannot be decoded or has nothing in it."""


class SourceError(AffectdError):
    """A source of audio that cannot be opened, or that stopped."""


class BundleError(AffectdError):
    """A model bundle that this device refuses."""


class ExplanationError(AffectdError):
    """An utterance that cannot be explained, or a question about it that has no answer."""
