"""Tables 5 and 6: between a convolutional and a fully connected network, on Fashion-MNIST.

    python experiments/architectures.py                               # the paper's two settings
    python experiments/architectures.py --latent=50 --anchors=100     # one of them

Table 5 has the direct maps and decoder_only, Table 6 end2end. All methods of a setting have the same anchors, one
random draw, since a decoder is trained on the anchors that it will meet. Every pair of seeds is a row, both ways. The
similarity map is not in the paper: a rigid one with a scale, which two architectures need not share.

The paper's errors for the second are 1.805 (rigid), 0.241 (linear), 4.000 (decoder_only) and 0.298 (end2end) from conv
to mlp, and 0.558, 0.217, 1.363 and 0.288 back.
"""

from align_lab import launch, tables

if __name__ == "__main__":
    launch.run(tables.ARCHITECTURES)
