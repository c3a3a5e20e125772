"""Two encoders, no text in common, or a few pairs: is the map between their spaces found, and known to be right?

    python experiments/between_encoders.py --vectors=sample --texts=3000 --held_out=1000    # what is shipped
    python experiments/between_encoders.py --vectors=vectors.npz --between=minilm_l6:mpnet --texts=1500 --pairs=20,50

Either side embeds other texts; a key draws others. The last texts are held out: what the target's own encoder makes of
them is looked for by what the map makes of them, by cosine about the mean.

    top1, top10  share of held-out texts whose own vector is found first, or among ten
    mean_rank    of the own vector, among all that are held out

`ridge` and `procrustes` fit pairs alone: the known ones, and as many as there are texts a side, what the others are
measured by. Without --vectors, definitions of WordNet (Debian package `wordnet-base`) are embedded and kept.
"""

from align_lab import launch
from align_lab.crossing.crossings import CROSSINGS

if __name__ == "__main__":
    launch.run(CROSSINGS)
