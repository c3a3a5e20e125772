"""A folder with pairs in files; the tests compile much and compute little."""

import pytest
from on_files import folder  # noqa: F401 (a fixture)


@pytest.fixture(autouse=True, scope="module")
def all_compile_quickly(quick_compilation):
    pass
