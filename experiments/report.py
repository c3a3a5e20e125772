"""The report on the whole paper, rebuilt from the rows: every cell beside the paper's, pictures, claims, times.

    python experiments/report.py                       # experiments/results/README.md from its rows
    python experiments/report.py --results=DIR         # the same for another run
    python experiments/report.py --readme=README.md    # and the headline table of the project's README

Paragraphs that explain cells are kept in notes.md beside the report, under headings such as "# table 3".
"""

from pathlib import Path

from align_lab.report import page

if __name__ == "__main__":
    page.run(Path(__file__).parent / "results")
