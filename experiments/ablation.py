"""Why decoder_only fails between architectures in Table 5 ("it might be a bug"): one cause at a time taken away.

    python experiments/ablation.py --latent=50 --anchors=100

The paper's representation (Euclidean distances to single random anchors) against: each sample normalised; each anchor
standardised over the training images of the space, which takes its scale away; cosine around the anchors' mean; a
distance that does not change under affine maps; and anchors that are averages of 50 images. The rows are rows of
Table 5 with methods of their own names.
"""

from align_lab import launch, tables

if __name__ == "__main__":
    launch.run(tables.ABLATION)
