"""Is the verdict of `unpaired` to be believed? On clouds that nothing determines a map between, and on one that can be.

    python experiments/trust.py                                            # 1,152 draws; --dry_run estimates the time
    python experiments/trust.py --rows=200 --dimensions=3 --kind=Gaussian  # a part of it

Independent Gaussians, cubes, spheres, equal clusters, unrelated clusters, mirrored and constant clouds and duplicates,
from 2 to 3,000 rows and 2 to 200 dimensions: none of them may be trusted. Of the solvable kind those trusted must be
right.
"""

from align_lab import launch
from align_lab.verdicts.trials import VERDICTS

if __name__ == "__main__":
    launch.run(VERDICTS)
