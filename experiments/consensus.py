"""Many networks, one space: a consensus of ten against maps of pairs, and which networks are alike.

    python experiments/consensus.py                                  # 10 convolutional seeds on MNIST; 5 + 5; 4 + 3 + 3
    python experiments/consensus.py --groups=mlp --latent=10         # other networks
    python experiments/consensus.py --groups=mlp --seeds=3 --epochs=2 --dataset=mnist_sample     # minutes

Maps between all ordered pairs of networks from few anchors: `rigid`, `similarity`, `affine` and `ridge` of each pair;
`procrustes` and `consensus`, one map for each network into one space (`align.solvers.consensus`, rotations or its ridge
form). Every network has embedded the same anchors, or each its own half of a pool of twice as many, of which a pair
shares a quarter and the consensus knows all. Measured on the test images: the residual of codes over all pairs; the
error of the next network's decoder; and circles, how far a code is from itself after a way through all networks, and
from i to k straight and by way of j. Distances between the networks (Procrustes, CKA) are clustered, drawn, and
set beside what maps into and out of each network lose.

Training ten convolutional networks takes some eleven minutes on two idle cores, ten fully connected ones on
Fashion-MNIST four; what is measured of each group, a quarter of an hour at most. To expect: circles of the last
two close to the last digits, by construction; others do not.
"""

from align_lab import launch
from align_lab.many.gatherings import CONSENSUS

if __name__ == "__main__":
    launch.run(CONSENSUS)
