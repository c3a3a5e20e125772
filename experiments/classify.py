"""Classifiers: the head of one on the mapped codes of another, by families of maps and by what they may know.

python experiments/classify.py                                                # MNIST, three architectures
python experiments/classify.py --dataset=fashion_mnist
python experiments/classify.py --dataset=mnist_sample --models=conv,mlp --epochs=1 --steps=own,pairs   # a minute
"""

from align_lab import launch
from align_lab.heads.classification import CLASSIFY

if __name__ == "__main__":
    launch.run(CLASSIFY)
