"""Exit codes of the command."""

DONE, MISTAKE, NOT_TRUSTED, BELOW, INTERRUPTED = 0, 2, 3, 4, 130
