"""A folder with pairs in files."""

from on_files import folder  # noqa: F401 (a fixture)
