"""How far `solvers.unpaired` comes between real encoders: rows of JSON, one for each run.

    python experiments/encoders_bench.py vectors.npz > rows.jsonl
    python experiments/encoders_bench.py vectors.npz --cases minilm_l6:mpnet:1500:20 --keys 10

vectors.npz: an array `[texts, d]` for each encoder, the same texts in the same order. A case is
source:target:rows:pairs; the two clouds are embeddings of different texts, each key draws others, and the last 4,000
texts are held out. A target `gaussian` is Gaussian noise of the covariance of mpnet. Minutes a run.
"""

from align_lab.bench import between_encoders

if __name__ == "__main__":
    between_encoders.main(__doc__)
