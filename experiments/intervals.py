"""Do the intervals of `align score --corpus` hold what they promise?

    python experiments/intervals.py

1,400 queries of two encoders search 5,000 documents; what they find together is the truth. Queries are drawn from them
a thousand times, and the 95 % interval of the draw should hold the truth in 93 to 97 % of them. Two minutes, from what
is shipped.
"""

from align_lab import launch
from align_lab.switch.interval_trials import INTERVALS

if __name__ == "__main__":
    launch.run(INTERVALS)
