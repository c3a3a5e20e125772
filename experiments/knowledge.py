"""What must be known: the test error against the number of pairs, with class labels only, and with nothing.

    python experiments/knowledge.py                                                # everything
    python experiments/knowledge.py --spaces=mnist-50 --steps=pairs,labels         # a part of it
    python experiments/knowledge.py --spaces=fashion_mnist-50 --steps=unpaired --keys=1
    python experiments/knowledge.py --spaces=mnist-50 --steps=pairs,few --anchors=10,100

Spaces: the convolutional autoencoders on MNIST at five latent dimensions, and convolutional ↔ fully connected ones on
Fashion-MNIST at two, both ways; every ordered pair of seeds. Steps:

- pairs: rigid, linear and ridge from 5 to 1,000 random anchors, and from the whole training set.
- selection: 2 · latent anchors, by every strategy of `align.anchors`.
- labels: from class labels; the source network has seen one half of the training images, the target the other.
- few: from 5 to 1,000 of the pairs beside the two clouds, the same halves.
- bound: what 100 of the pairs could correct at best, by someone who knows how much every entry of the map is off.
- unpaired: nothing known, from the same halves.
- controls: clouds that have nothing to do with each other, of which no map may be trusted.

Methods that draw at random without knowing a pair are run with several keys. The paper's best from labels alone is
0.660 at latent 50 (its all-pairs map: 0.485), and it has no map for nothing known.
"""

from align_lab import launch
from align_lab.ladder.spaces import KNOWLEDGE

if __name__ == "__main__":
    launch.run(KNOWLEDGE)
