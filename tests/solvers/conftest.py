"""The tests compile much and compute little, and no dtype is mixed with another unsaid."""

import pytest


@pytest.fixture(autouse=True, scope="module")
def all_compile_quickly_and_promote_strictly(quick_compilation, strict_promotion):
    pass
