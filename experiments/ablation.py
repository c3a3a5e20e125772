"""Why decoder_only fails between architectures in Table 5 ("it might be a bug"): one cause at a time taken away.

    python experiments/ablation.py --latent=50 --anchors=100

The paper's representation (Euclidean distances to single random anchors) against: each sample normalised; each anchor
standardised over the training images of the space, which takes its scale away; cosine around the anchors' mean; a
distance that does not change under affine maps; and anchors that are averages of 50 images. The rows are rows of
Table 5 with methods of their own names.
"""

import architectures
import launch

METHODS = (
    "decoder_only",
    "decoder_only_layer",
    "decoder_only_standard",
    "decoder_only_averaged",
    "decoder_only_centred",
    "decoder_only_whitened",
    "decoder_only_whitened_averaged",
    "decoder_only_whitened_standard",
)
CELLS = ((50, 100),)

plan = architectures.plan

if __name__ == "__main__":
    launch.run(plan, tables=[5], cells=CELLS, methods=METHODS, dataset="fashion_mnist", choose_model=False)
