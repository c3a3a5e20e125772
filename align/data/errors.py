"""What can go wrong between a source of bytes and a checked array."""


class DataError(RuntimeError):
    """Say which file or source failed, what came, what was expected, and what to do."""


class SourceUnavailable(DataError):
    """Say why a source does not have the files; the next source is tried."""
