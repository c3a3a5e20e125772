"""Is the map between two networks a rotation? The singular values of linear maps, which are all 1 for a rotation.

    python experiments/rotation.py                # latent dimensions 2 to 50
    python experiments/rotation.py --latent=50    # one of them

Maps are fitted on the whole training set and on twice as many random pairs as there are dimensions. It takes about 12
minutes on two cores, a minute where the networks are trained.
"""

from align_lab import launch, tables

if __name__ == "__main__":
    launch.run(tables.ROTATION)
