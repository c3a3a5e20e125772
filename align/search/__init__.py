"""A search whose encoder changes: the map that serves it best, and what a map is worth to it.

`auto` chooses a map on pairs that were left out. `found` searches a corpus with a map and without, `verdict` says in
words whether the map is worth it, and `estimate` gives the interval of a mean over queries.
"""

from align.search.auto import auto
from align.search.bootstrap import Estimate, estimate
from align.search.choices import Choice, Line
from align.search.worth import Found, found, verdict

__all__ = ["Choice", "Estimate", "Found", "Line", "auto", "estimate", "found", "verdict"]
