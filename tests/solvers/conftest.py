"""The tests compile much and compute little."""

import pytest


@pytest.fixture(autouse=True, scope="module")
def all_compile_quickly(quick_compilation):
    pass
