"""Streams that show what they can: a character that an encoding lacks is no reason to lose a result."""

import sys


def tolerate() -> None:
    """Let standard output and error replace what their encoding cannot show, in place of failing."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
