"""Classifiers: the head of one on the mapped codes of another, by families of maps and by what they may know.

    python experiments/classify.py                                                # MNIST, three architectures
    python experiments/classify.py --dataset=fashion_mnist
    python experiments/classify.py --dataset=mnist_sample --models=conv,mlp --epochs=1 --steps=own,pairs   # a minute

Training nine networks takes a minute or two on two idle cores, the maps an hour, half of it clouds with few pairs
(--models, --steps, --seeds for a part). To expect on MNIST: from 100 pairs rigid names 98.2 % rightly between a
convolutional and a fully connected network, affine 94.5 %, a trained network 97.3 %; from all pairs 98.4, 98.0 and
98.5 %.
"""

from align_lab import launch
from align_lab.heads.classification import CLASSIFY

if __name__ == "__main__":
    launch.run(CLASSIFY)
