"""The page of the benchmarks, made from their rows: a table of the questions, plots of growth, where the time goes.

What bounds a question that misses its target is said in bounds.md, under a heading with the question; without one the
table says where the time goes.
"""

import json
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
    kinds = defaultdict(lambda: defaultdict(list))
    for row in measurements.read(results / "rows" / "benchmarks.jsonl"):
        kinds[row["device"]][row["kind"]].append(row)
    bounds = markdown.sections(results / "bounds.md")
    whole_paper = comparison_tables.whole_paper(results, bounds)
    parts = [_HEAD]
    for device in sorted(kinds, key=lambda device: not device.startswith("cpu")):
        measured, on_cpu = kinds[device], device.startswith("cpu")
        comparisons, ending = _latest(measured["comparison"]), "" if on_cpu else "_accelerator"
        parts += [
            _circumstances(device, [row for kind in measured.values() for row in kind]),
            comparison_tables.against_goals(comparisons, bounds, [whole_paper] if on_cpu else []),
            comparison_tables.rooflines(comparisons),
            comparison_tables.contenders(comparisons),
            growth_plots.write(_latest(measured["growth"]), results / "pictures", ending),
            comparison_tables.stages(_latest(measured["stage"])),
        ]
    if all(device.startswith("cpu") for device in kinds):
        parts.append("## Accelerator\n\nJAX found none on this machine: skipped.\n")
    return markdown.write(results / "tables" / "benchmarks.md", "\n".join(part for part in parts if part))


def _latest(measured):
    """Give the last row of each question."""
    return list({row["question"]: row for row in measured}.values())


def _circumstances(device, measured):
    machine = measured[-1]["machine"]
    # Of every package the last version that was there: rows may be made one question at a time.
    versions = {name: version for row in measured for name, version in row["versions"].items() if version}
    known = ", ".join(f"{name} {version}" for name, version in versions.items())
    absent = ", ".join(name for name in measured[-1]["versions"] if name not in versions)
    lines = [f"## {device}", "", f"{machine['cpu']}, {machine['cores']} cores, {machine['system']}; {known}"]
    lines[-1] += f"; not installed: {absent}" if absent else ""
    lines[-1] += "."
    machines = {json.dumps(row["machine"], sort_keys=True) for row in measured}
    if others := machines - {json.dumps(machine, sort_keys=True)}:
        lines.append(f"Some rows are of other machines: {'; '.join(others)}.")
    disturbed = [row["question"] for row in measured if row["others"] > DISTURBED]
    if disturbed:
        lines.append(f"Other processes took more than {DISTURBED:.0%} of the machine in: {'; '.join(disturbed)}.")
    return "\n".join([*lines, ""])
