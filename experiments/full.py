"""Table 1: alignment from the whole training set, the lower bound of what a method can do with fewer pairs.

python experiments/full.py                 # the paper's six latent dimensions
python experiments/full.py --latent=50     # one of them: 0.476 autoencoder, 0.536 rigid, 0.485 linear in the paper
"""

from align_lab import launch, tables

if __name__ == "__main__":
    launch.run(tables.FULL)
