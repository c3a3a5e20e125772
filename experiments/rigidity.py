"""What makes two latent spaces rigidly related: one factor of architecture and training changed at a time.

    python experiments/rigidity.py --epochs=4                                # all variants, of three networks each
    python experiments/rigidity.py --variants=ours,constant,constant+pytorch # 14 epochs
    python experiments/rigidity.py --variants=mlp --epochs=1 --dataset=mnist_sample     # a minute

Maps between all ordered pairs of networks, from all pairs of codes and from 100: rotations with and without shift,
reflection and scale, and linear ones. How far the error of a rigid map lies above that of a linear one, and what each
factor changes of it, with intervals over networks; the singular values of the maps, the shapes of the clouds.

--dry_run estimates how long that takes; --variants and --seeds are for a part. To expect: under the paper's training
linear is below rigid on every pair, by 5 thousandths; docs/rigidity.md says what changes that.
"""

from align_lab import launch
from align_lab.rigidity.factors import RIGIDITY

if __name__ == "__main__":
    launch.run(RIGIDITY)
