"""The whole paper: every table and figure on full data, resumable, with a report of ours beside the paper's numbers.

    python experiments/paper.py                # everything, from where it was stopped
    python experiments/paper.py --dry_run      # what is left to do, and its cost

The report is written to README.md in --results, next to the rows and pictures that it is made of.
"""

from align_lab import launch, tables

if __name__ == "__main__":
    launch.run(tables.PAPER)
