"""The search for the network: the paper names its layers and its errors, not its sizes.

    python experiments/search.py --latent=10                       # all candidates at a latent
    python experiments/search.py --latent=30 --candidates=6,7      # some of them, by their place in the list
    python experiments/search.py --latent=10 --held_out=10000      # on training images left out, for a choice

Two figures are searched on: the network's own error (its excess over 0.4694, the part of MNIST that a sigmoid cannot
reach), and that of a linear map between two seeds, from the whole training set. They pull against each other: what
makes an encoder more flexible lets two of them disagree. Rows are kept in search.jsonl; candidates with a row are not
trained again.
"""

from align_lab import launch
from align_lab.candidates import SEARCH

if __name__ == "__main__":
    launch.run(SEARCH)
