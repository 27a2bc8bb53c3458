"""``python -m edge`` is ``affectd``."""

import signal
import sys


def main() -> int:
    """Run the command line; the exit code.

    Until it is there, Ctrl-C just ends the process: an exception in the middle of a native library's import can crash
    the interpreter.
    """
    before = signal.getsignal(signal.SIGINT)
    if before != signal.SIG_IGN:  # in the background of a shell it stays ignored
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from edge.cli import main as command

    signal.signal(signal.SIGINT, before)
    return command()


if __name__ == "__main__":
    sys.exit(main())
