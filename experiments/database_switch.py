"""A search in a database that goes on while its vectors are made anew: LanceDB, from one encoder to another.

    python experiments/database_switch.py                                               # what is shipped; a minute
    python experiments/database_switch.py --vectors=wordnet.npz --between=minilm_l6:mpnet --kills=20

A table holds the vectors of an old encoder. A map is fitted on pairs, and queries of the new encoder are answered at
once: they go through the transposed map to the old column, which stays as it is. The new column is then filled batch by
batch, and each document is searched by it from then on. At every stage: the recall@10 of full re-embedding, and the
milliseconds of a query. With --kills, the process that fills is killed so many times, at any moment, and resumed, while
queries go on; every answer is compared with what a table without faults gives. Four minutes for 20 kills.

`pip install -e '.[database]'`.
"""

from align_lab import launch
from align_lab.switch.database_asked import DATABASE

if __name__ == "__main__":
    launch.run(DATABASE)
