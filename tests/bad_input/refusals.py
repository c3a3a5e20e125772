"""A call that must fail, and what its error must say."""

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from align import data
from align.data import DataError


class Refusal(NamedTuple):
    """What is called, and the words of its error: the argument's name, what came, and what was expected.

    Where what came says enough ("holds NaN or infinity"), nothing more is expected.
    """

    call: Callable[[], Any]
    argument: str
    came: str
    expected: str = ""
    error: type = ValueError

    def check(self):
        with pytest.raises(self.error) as raised:
            self.call()
        text = str(raised.value)
        assert [words for words in (self.argument, self.came, self.expected) if words not in text] == [], text
        assert type(raised.value) is self.error


def refuse_images(name, *words, error=DataError, **options):
    """Load images that must be refused with these words, in one line."""
    with pytest.raises(error) as raised:
        data.load(str(name), **options)
    text = str(raised.value)
    assert [word for word in words if word not in text] == [] and "\n" not in text, text
    assert type(raised.value) is error


def every(table):
    """Parametrise a test over a table of refusals by name."""
    return pytest.mark.parametrize("refusal", [pytest.param(refusal, id=name) for name, refusal in table.items()])
