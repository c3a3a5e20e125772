"""Figure 1: the idea as a picture, two networks' latents before and after alignment; Figures 3 and 4 for the transfers.

    python experiments/figures.py                # the latents of two networks of latent dimension 2
    python experiments/figures.py --latent=10    # of another dimension, by its first two principal components

Figures 3 and 4 (reconstructions between architectures) are drawn by experiments/architectures.py, from its networks.
"""

from align_lab import launch, tables

if __name__ == "__main__":
    launch.run(tables.FIGURES)
