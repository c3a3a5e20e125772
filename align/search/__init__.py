"""A search whose encoder changes: what a map is worth to it.

`found` searches a corpus with a map and without, `verdict` says in words whether the map is worth it, and `estimate`
gives the interval of a mean over queries.
"""

from align.search.bootstrap import Estimate, estimate
from align.search.worth import Found, found, verdict

__all__ = ["Estimate", "Found", "estimate", "found", "verdict"]
