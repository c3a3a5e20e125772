"""The report on the benchmarks, made from their rows: a table of the questions, plots of growth, where the time goes.

What bounds a question that misses its target is said in bounds.md, under a heading with the question; without one the
table says where the time goes.
"""

import json
import math
from collections import defaultdict
from pathlib import Path

from align.arrays import atomic
from align_lab.bench import harness, measurements

WHOLE_PAPER_MINUTES = 75
# Other processes' share of the machine from which a row is marked.
DISTURBED = 0.05
_HEAD = """# Benchmarks

Side by side on one machine: `python experiments/benchmarks.py` measures every question in a process of its own,
ours and its peers in turn, and gives medians after a warm-up that includes all compilation. A ratio is the peer's
median over ours. What is timed is what a user calls; inputs lie where either side wants them before the clock starts.
[benchmarks.jsonl](../rows/benchmarks.jsonl) has all times, versions and the revision; the peers come with
`pip install -e '.[bench]'`.
"""
AXES = {
    "rows": ("rows", "Fits in 32 dimensions"),
    "dimension": ("dimension", "Fits to 8,192 rows"),
    "seeds": ("networks at once", "Training, two epochs of 4,800 images"),
}
_REMARKS = {
    "dimension": "Ridge fits its rigid and similarity goals again without some of the rows: up to 1,000 times where a "
    "decomposition is cheap, and less often the dearer it is."
}


def write(results: Path) -> Path:
    """Write benchmarks.md, and the plots beside it, from the rows of a folder; return its path."""
    kinds = defaultdict(lambda: defaultdict(list))
    for row in measurements.read(results / "rows" / "benchmarks.jsonl"):
        kinds[row["device"]][row["kind"]].append(row)
    bounds = _bounds(results)
    parts = [_HEAD]
    for device in sorted(kinds, key=lambda device: not device.startswith("cpu")):
        measured = kinds[device]
        comparisons = _latest(measured["comparison"])
        parts += [_circumstances(device, [row for kind in measured.values() for row in kind])]
        parts += [_table(comparisons, bounds, device, results / "rows" / "timings.jsonl"), _contenders(comparisons)]
        parts += [_growth(results, device, _latest(measured["growth"])), _stages(_latest(measured["stage"]))]
    if all(device.startswith("cpu") for device in kinds):
        parts.append("## Accelerator\n\nJAX found none on this machine: skipped.\n")
    _replace(
        results / "tables" / "benchmarks.md", lambda path: path.write_text("\n".join(part for part in parts if part))
    )
    return results / "tables" / "benchmarks.md"


def _latest(measured):
    """Give the last row of each question."""
    return list({row["question"]: row for row in measured}.values())


def _circumstances(device, measured):
    machine, versions = measured[-1]["machine"], measured[-1]["versions"]
    known = ", ".join(f"{name} {version}" for name, version in versions.items() if version)
    absent = ", ".join(name for name, version in versions.items() if not version)
    revisions = ", ".join(dict.fromkeys(str(row["revision"]) for row in measured))
    lines = [f"## {device}", "", f"{machine['cpu']}, {machine['cores']} cores, {machine['system']}; {known}"]
    lines[-1] += f"; not installed: {absent}" if absent else ""
    lines[-1] += f". Revision {revisions}."
    if machines := {json.dumps(row["machine"], sort_keys=True) for row in measured} - {
        json.dumps(machine, sort_keys=True)
    }:
        lines.append(f"Some rows are of other machines: {'; '.join(machines)}.")
    disturbed = [row["question"] for row in measured if row["others"] > DISTURBED]
    if disturbed:
        lines.append(f"Other processes took more than {DISTURBED:.0%} of the machine in: {'; '.join(disturbed)}.")
    return "\n".join([*lines, ""])


def _table(comparisons, bounds, device, timings):
    lines = ["| question | against | ours | peer | ratio | target | what bounds it |", "| --- " * 7 + "|"]
    for row in comparisons:
        ours, bound = row["ours"]["median"], bounds.get(row["question"]) or _where(row["where"])

        def line(against, peer, ratio, target, reached, row=row, ours=ours, bound=bound):
            missed = bound if reached is False else ""
            lines.append(
                f"| {row['question']} | {against} | {_amount(row, ours)} | {peer} | {ratio} | {target} | {missed} |"
            )

        for against, target in row["goals"]:
            name, peer = _peer(row, against)
            if peer is None:
                line(against, row["peers"].get(against, {}).get("missing", "none ran"), "–", f"≥ {target:.3g}x", None)
                continue
            ratio = peer / ours
            shown = f"≥ {target:.3g}x" if target >= 1 else f"≤ {1 / target:.3g} times as long"
            named = f"{name}, the fastest" if against == harness.FASTEST else name
            line(named, _amount(row, peer), f"**{ratio:.2f}x**", shown, ratio >= target)
        if row["most"]:
            line("–", "–", "–", f"≤ {row['most']:g} s", ours <= row["most"])
        if row.get("work") and row["work"][2]:
            _, dtype, least = row["work"]
            rate = f"{row['product_rate'] / 1e9:.0f} GFLOP/s"
            line(f"{dtype} product", rate, f"**{row['share']:.0%}**", f"≥ {least:.0%}", row["share"] >= least)
        elif not row["goals"] and not row["most"]:
            for name, peer in row["peers"].items():
                seconds = peer.get("median")
                shown = (_amount(row, seconds), f"{seconds / ours:.2f}x") if seconds else (peer["missing"], "–")
                line(name, *shown, "–", None)
    if device.startswith("cpu"):
        lines.append(_whole_paper(timings, bounds))
    return "\n".join([*lines, ""])


def _peer(row, against):
    """Give the name and the median of the peer that a goal names, (name, None) where it did not run."""
    measured = {name: peer["median"] for name, peer in row["peers"].items() if "median" in peer}
    name = min(measured, key=measured.get, default=against) if against == harness.FASTEST else against
    return name, measured.get(name)


def _whole_paper(timings, bounds):
    """Give the line of the whole paper, which its own run measures."""
    lines = timings.read_text().splitlines() if timings.exists() else []
    tasks = [json.loads(line) for line in lines]
    whole = all(any(task["task"].startswith(f"table {number}") for task in tasks) for number in range(1, 7))
    minutes = sum(task["seconds"] for task in tasks) / 60
    took = f"{minutes:.0f} minutes" if whole else f"not complete in {timings.name}"
    question = "the whole paper, 3 seeds, from nothing"
    bound = bounds[question] if whole and minutes > WHOLE_PAPER_MINUTES else ""
    return f"| {question} | – | {took} | – | – | ≤ {WHOLE_PAPER_MINUTES} minutes | {bound} |"


def _contenders(comparisons):
    columns = "| question | contender | median | least to most | recorded |"
    lines = ["### All contenders", "", columns, "| --- " * 5 + "|"]
    for row in comparisons:
        for name, one in {"ours": row["ours"], **row["peers"]}.items():
            if "median" not in one:
                lines.append(f"| {row['question']} | {name} | {one['missing']} | | |")
                continue
            recorded = ", ".join(f"{key} {one[key]:.3g}" for key in one if key not in ("median", "times"))
            span = f"{_seconds(min(one['times']))} to {_seconds(max(one['times']))}, {len(one['times'])} times"
            lines.append(f"| {row['question']} | {name} | {_amount(row, one['median'])} | {span} | {recorded} |")
    return "\n".join([*lines, ""])


def _growth(results, device, points):
    series = defaultdict(lambda: defaultdict(dict))
    for row in points:
        series[row["axis"]][row["series"]][row["size"]] = row["seconds"]
    parts = ["### How the cost grows", ""] if series else []
    for axis, lines in series.items():
        name = f"growth_{axis}{'' if device.startswith('cpu') else '_accelerator'}.png"
        _replace(results / "pictures" / name, lambda path, axis=axis, lines=lines: _plot(path, axis, lines))
        said = "; ".join(f"{one} {slope(sizes):.2f}" for one, sizes in lines.items())
        parts += [f"![seconds against {AXES[axis][0]}](../pictures/{name})", ""]
        parts += [f"{AXES[axis][1]}: time grows with {axis} to the power of {said} (the larger half of the sizes).", ""]
        parts += [_REMARKS[axis], ""] if axis in _REMARKS else []
    return "\n".join(parts)


def slope(sizes: dict[int, float]) -> float:
    """Fit a power of the size to the seconds at the larger half of the sizes, at least two; NaN for a single one."""
    kept = sorted(sizes)[-max(2, -(-len(sizes) // 2)) :]
    x, y = [math.log(size) for size in kept], [math.log(sizes[size]) for size in kept]
    mean_x, mean_y = math.fsum(x) / len(x), math.fsum(y) / len(y)
    spread = math.fsum((a - mean_x) ** 2 for a in x)
    return math.fsum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True)) / spread if spread else math.nan


def _plot(path, axis, lines):
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(5.2, 3.6), layout="constrained")
    for name, sizes in lines.items():
        points = sorted(sizes.items())
        axes.loglog(*zip(*points, strict=True), "o-", markersize=4, label=f"{name}: slope {slope(sizes):.2f}")
    axes.set(xlabel=AXES[axis][0], ylabel="seconds", title=AXES[axis][1])
    axes.grid(True, which="major", alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=160, format="png")
    pyplot.close(figure)


def _stages(stages):
    if not stages:
        return ""
    top = sorted(stages, key=lambda row: -row["whole_paper"])[:3]
    lines = ["### Where the time of the whole paper goes", ""]
    total = sum(row["whole_paper"] for row in stages) / 60
    lines += [f"All stages together come to {total:.0f} minutes, each estimated from a smaller run of it; fitting and"]
    lines += ["evaluating maps, pictures and starting up are not among them. The three most expensive:", ""]
    lines += ["| stage | of the whole paper | where the time goes |", "| --- | --- | --- |"]
    lines += [f"| {row['question']} | {row['whole_paper'] / 60:.1f} minutes | {_where(row['where'])} |" for row in top]
    return "\n".join([*lines, ""])


def _where(shares):
    return ", ".join(f"{kind} {share:.0%}" for kind, share in list(shares.items())[:4])


def _amount(row, seconds):
    return f"{row['amount'] / seconds:,.0f} {row['unit']}" if row["amount"] else _seconds(seconds)


def _seconds(seconds):
    return f"{seconds:.3g} s" if seconds >= 1 else f"{seconds * 1e3:.3g} ms"


def _bounds(results):
    """Read bounds.md: a sentence or two under each heading."""
    file, bounds, heading = results / "bounds.md", defaultdict(str), ""
    for line in file.read_text().splitlines() if file.exists() else []:
        if line.startswith("# "):
            heading = line[2:].strip()
        else:
            bounds[heading] = f"{bounds[heading]} {line}".strip()
    return bounds


def _replace(path, write):
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic.replacing(path) as partial:
        write(partial)
