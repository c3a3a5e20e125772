"""What `import align` offers, each loaded when it is first asked for."""

import pytest

import align


def test_every_name_is_there_and_listed():
    assert align.AffineMap is align.maps.AffineMap
    assert set(align.__all__) <= set(dir(align))
    for name in align.__all__:
        assert getattr(align, name).__name__ in (name, f"align.{name}")


def test_other_names_are_refused():
    with pytest.raises(AttributeError, match="module 'align' has no attribute 'solver'"):
        _ = align.solver
