"""Table 2: relative representations, with new decoders for old encoders (decoder_only) or all trained anew (end2end).

    python experiments/relative.py                              # the paper's ten settings
    python experiments/relative.py --latent=50 --anchors=100    # one of them

The paper's errors for the second are, own and transferred, 0.479 and 0.839 (decoder_only), 0.488 and 0.498 (end2end).
"""

from align_lab import launch, tables

if __name__ == "__main__":
    launch.run(tables.RELATIVE)
