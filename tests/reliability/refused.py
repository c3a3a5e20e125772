"""A tiny run, and how a run is refused: in one line that names what is wrong."""

from kill import TINY
from running import Run

RUN = (*TINY, "--model=mlp")


def assert_refused(run: Run, named):
    assert run.code == 1
    assert run.err.startswith("error: ") and len(run.err.strip().splitlines()) == 1
    assert [words for words in named if words not in run.err] == [], run.err
