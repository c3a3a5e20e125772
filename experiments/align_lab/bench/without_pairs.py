"""How long a map takes that knows no pair, between two clouds of either kind, verdict included.

Wide: 3,000 texts by either of two encoders, none by both, of the sample that is shipped. Narrow: two clouds of 16
dimensions from one mixture. No peer finds these maps; the encoders' page compares what is found.
"""

import jax

from align import solvers
from align.data.texts import encoder_sample
from align_lab.bench import growth, harness


def texts(count):
    def prepare():
        sample = encoder_sample()
        source, target = sample.minilm[:count], sample.mpnet[count : 2 * count]
        return lambda: solvers.unpaired(jax.random.key(0), source, target)

    return prepare


def jobs(small):
    """List one question for each kind."""
    count, rows = (200, 200) if small else (3_000, 60_000)
    cases = {
        f"unpaired, {count:,} texts a side x 160": texts(count),
        f"unpaired, {rows:,} a side x {growth.OF_CLOUDS}": lambda: growth.unpaired(rows, growth.OF_CLOUDS),
    }
    return [harness.comparison(harness.Case(question=name, ours=ours, peers={})) for name, ours in cases.items()]
