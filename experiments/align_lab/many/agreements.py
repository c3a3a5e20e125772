"""The rows of a gathering: a row for every method and draw of the anchors, means over the pairs of networks."""

import time
from collections.abc import Callable
from itertools import product

import jax
import jax.numpy as jnp

from align import networks
from align_lab import draws
from align_lab.many.many_plans import TABLE, Gathering, Likeness, columns
from align_lab.store import Store
from align_lab.trainings import encoded

SECONDS = 5.0  # of a row, ten networks on two cores, to weigh a progress bar


def rows(gathering: Gathering) -> list[dict]:
    """List the rows that a gathering asks for, without what is measured."""
    known = {"table": TABLE, **columns(gathering.spaces), "anchors": gathering.anchors}
    known |= {"pool": gathering.pool * gathering.anchors}
    return [{**known, "method": method, "draw": draw} for method, draw in product(gathering.methods, gathering.draws)]


def cost(gathering: Gathering, store: Store) -> float:
    """Estimate the seconds that two cores take for the rows that are not there yet."""
    count = sum(len(space.seeds) for space in gathering.spaces)
    return len(store.missing(rows(gathering))) * SECONDS * (count / 10) ** 2


def gathered(gathering: Gathering | Likeness, store: Store) -> list:
    """Give the networks of a gathering with their codes."""
    return [network for space in gathering.spaces for network in encoded(space, store)]


def work(gathering: Gathering, store: Store, advance: Callable[[float], None]) -> None:
    """Make the rows of a gathering that are not there yet, one by one."""
    from align_lab.many import carried

    missing, data = store.missing(rows(gathering)), store.data(gathering.spaces[0].dataset)
    ends = gathered(gathering, store)
    images, tests = jnp.asarray(data.test.images), jnp.stack([end.test for end in ends])
    for row in sorted(missing, key=lambda row: row["draw"]):
        key = networks.named_key(row["draw"], "gathering", str(row["anchors"]), str(row["pool"]))
        chosen = draws.without_repeats(key, len(data.train.images), row["pool"])
        known = jnp.stack(
            [
                jnp.zeros(row["pool"]).at[draws.without_repeats(part, row["pool"], row["anchors"])].set(1)
                for part in jax.random.split(jax.random.fold_in(key, 1), len(ends))
            ]
        )
        codes = carried.Codes(jnp.stack([end.train[chosen] for end in ends]), known, tests)
        began = time.perf_counter()
        maps, told = carried.maps(row["method"], codes)
        seconds = round(time.perf_counter() - began, 2)
        store.add([{**row, **carried.measured(maps, codes, ends, images), **told, "seconds": seconds}])
        advance(1 / len(missing))
