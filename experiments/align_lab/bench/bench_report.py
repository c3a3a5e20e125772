"""The page of the benchmarks, made from their rows: a table of the questions, plots of growth, where the time goes.

What bounds a question that misses its target is said in bounds.md, under a heading with the question; without one the
table says where the time goes.
"""

import json
import re
from collections import defaultdict
from pathlib import Path

from align import markdown
from align_lab.bench import comparison_tables, growth_plots, measurements

# Other processes' share of the machine from which a row is marked.
DISTURBED = 0.05
_HEAD = """# Benchmarks

Side by side on one machine: `python experiments/benchmarks.py` measures every question in a process of its own,
ours and its peers in turn, and gives medians after a warm-up that includes all compilation. A ratio is the peer's
median over ours. What is timed is what a user calls; inputs lie where either side wants them before the clock starts.
[benchmarks.jsonl](../rows/benchmarks.jsonl) has all times, versions and revisions, of which a part of this page may be
older than another and says so; the peers come with `pip install -e '.[bench]'`.
"""


def write(results: Path) -> Path:
    """Write benchmarks.md, and its plots, from the rows of a folder of results; return its path."""
    rows = measurements.read(results / "rows" / "benchmarks.jsonl")
    rows = [row for row in rows if not row["small"]] or rows
    bounds = markdown.sections(results / "bounds.md")
    places = defaultdict(list)
    for row in rows:
        places[_place(row)].append(row)
    parts = [_HEAD, comparison_tables.whole_paper(results, bounds)]
    # CPUs first, and of these first the one that came last.
    for measured in sorted(reversed(places.values()), key=lambda measured: not _on_cpu(measured[-1])):
        kinds = {kind: _latest(measured, kind) for kind in ("comparison", "growth", "stage")}
        parts += [
            _circumstances(measured),
            comparison_tables.against_goals(kinds["comparison"], bounds),
            comparison_tables.rooflines(kinds["comparison"]),
            comparison_tables.contenders(kinds["comparison"]),
            growth_plots.write(kinds["growth"], results / "pictures", _ending(measured[-1])),
            comparison_tables.stages(kinds["stage"]),
        ]
    if all(map(_on_cpu, rows)):
        parts.append("## Accelerator\n\nJAX found none on this machine: skipped.\n")
    return markdown.write(results / "tables" / "benchmarks.md", "\n".join(part for part in parts if part))


def _place(row):
    """Give what rows of one section share: the machine, and the device of it."""
    return json.dumps([row["device"], row["machine"]], sort_keys=True)


def _on_cpu(row):
    return row["device"].startswith("cpu")


def _ending(row):
    """Give how the files of a section's plots end: by the accelerator, and the vectors of the CPU where known."""
    names = [] if _on_cpu(row) else [row["device"]]
    names += [vectors] if (vectors := row["machine"].get("vectors")) else []
    return "".join(f"_{re.sub(r'[^a-z0-9]+', '_', name.lower())}" for name in names)


def _latest(measured, kind):
    """Give the last row of each question of a kind."""
    return list({row["question"]: row for row in measured if row["kind"] == kind}.values())


def _circumstances(measured):
    row = measured[-1]
    machine = row["machine"]
    cpu = machine["cpu"] + (f" with {vectors}" if (vectors := machine.get("vectors")) else "")
    # Of every package the last version that was there: rows may be made one question at a time.
    versions = {name: version for row in measured for name, version in row["versions"].items() if version}
    known = ", ".join(f"{name} {version}" for name, version in versions.items())
    absent = ", ".join(name for name in row["versions"] if name not in versions)
    lines = [f"## {cpu if _on_cpu(row) else row['device']}", ""]
    lines.append(f"{cpu}, {machine['cores']} cores, {machine['system']}; {known}")
    lines[-1] += f"; not installed: {absent}" if absent else ""
    lines[-1] += "."
    disturbed = [row["question"] for row in measured if row["others"] > DISTURBED]
    if disturbed:
        lines.append(f"Other processes took more than {DISTURBED:.0%} of the machine in: {'; '.join(disturbed)}.")
    return "\n".join([*lines, ""])
