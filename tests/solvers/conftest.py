"""No dtype is mixed with another unsaid."""

import pytest


@pytest.fixture(autouse=True, scope="module")
def strict(strict_promotion):
    pass
