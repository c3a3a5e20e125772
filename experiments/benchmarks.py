"""Measure how fast everything is, ours and its peers in turn, each question in a process of its own; write the report.

    python experiments/benchmarks.py                    # what has no row yet; about 45 minutes on two cores
    python experiments/benchmarks.py --only=fits,icp    # some of the questions
    python experiments/benchmarks.py --again            # what has rows too, as after a change of the code
    python experiments/benchmarks.py --small            # minutes, to see that everything works; publishes nothing
    python experiments/benchmarks.py --only=            # the report alone, from the rows
    python experiments/benchmarks.py --only=memory      # ten million pairs, 2 x 10 GB on disk, removed at the end
    python experiments/benchmarks.py --only=joins       # a million rows joined by id, 6 GB on disk, removed at the end

The peers are those of `pip install -e '.[bench]'`; one that is not installed is left out. Nothing else should run on
the machine meanwhile: rows say what other processes took of it. After the CPU comes an accelerator, if JAX finds one.
"""

from pathlib import Path

from align_lab.bench import questions

if __name__ == "__main__":
    questions.run(Path(__file__).parent / "results")
