"""Table 3: alignment from a few anchors, drawn at random from the training set for every ordered pair of networks.

    python experiments/anchors.py                              # the paper's ten settings
    python experiments/anchors.py --latent=50 --anchors=100    # one of them

The paper's errors for the second are 0.476 (autoencoder), 0.551 (rigid), 0.500 (linear), and 0.768, 0.714 and 0.673
(stitching, k = 1, 2, 4). It takes about 7 minutes on two cores the first time, and seconds from then on.
"""

from align_lab import launch, tables

if __name__ == "__main__":
    launch.run(tables.ANCHORS)
