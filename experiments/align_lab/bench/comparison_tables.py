"""The questions of the benchmarks as tables: against its goals, and all contenders of each."""

from pathlib import Path

from align import markdown
from align_lab.bench import harness, measurements
from align_lab.store import times_of_the_paper

WHOLE_PAPER, WHOLE_PAPER_MINUTES = "the whole paper, 3 seeds, from nothing", 75


def against_goals(rows: list[dict], bounds: dict[str, str]) -> str:
    """Lay out ours beside the peer that each goal names, and what bounds a question that misses its goal.

    The revisions that are said before it are those of the tables of all contenders and of the limits too.
    """
    head = f"The comparisons, in this table and the next ones. {measurements.revisions(rows)}\n\n" if rows else ""
    lines = [line for row in rows for line in _lines(row, bounds.get(row["question"], "").strip())]
    header = ["question", "against", "ours", "peer", "ratio", "target", "what bounds it"]
    return head + markdown.table(header, lines) + "\n"


def _lines(row, bound):
    ours, bound = row["ours"]["median"], " ".join(bound.split()) or shares(row["where"])

    def line(against, peer, ratio, target, reached):
        return [row["question"], against, amount(row, ours), peer, ratio, target, bound if reached is False else ""]

    for against, target in row["goals"]:
        name, peer = _peer(row, against)
        if peer is None:
            missing = row["peers"].get(against, {}).get("missing", "none ran")
            yield line(against, missing, "–", f"≥ {target:.3g}x", None)
            continue
        ratio = peer / ours
        shown = f"≥ {target:.3g}x" if target >= 1 else f"≤ {1 / target:.3g} times as long"
        named = f"{name}, the fastest" if against == harness.FASTEST else name
        yield line(named, amount(row, peer), f"**{ratio:.2f}x**", shown, ratio >= target)
    if row["most"]:
        yield line("–", "–", "–", f"≤ {row['most']:g} s", ours <= row["most"])
    if row.get("work") and row["work"][2]:
        _, dtype, least = row["work"][:3]
        rate = f"{row['product_rate'] / 1e9:.0f} GFLOP/s"
        yield line(f"{dtype} product", rate, f"**{row['share']:.0%}**", f"≥ {least:.0%}", row["share"] >= least)
    elif not row["goals"] and not row["most"]:
        for name, peer in row["peers"].items():
            seconds = peer.get("median")
            shown = (amount(row, seconds), f"{seconds / ours:.2f}x") if seconds else (peer["missing"], "–")
            yield line(name, *shown, "–", None)


def rooflines(rows: list[dict]) -> str:
    """Lay out how close to what the machine can do each question comes that has a count of its work."""
    lines = []
    for row in rows:
        if "roofline" not in row:
            if not row["peers"] and row["most"] is None:
                lines.append([row["question"], *["–"] * 6, shares(row["where"])])
            continue
        multiply_adds, dtype, _, moved = row["work"]
        by_memory = row["roofline"] > row["share"]
        rates = f"{row['product_rate'] / 1e9:.0f} GFLOP/s, {row['copy_rate'] / 1e9:.1f} GB/s"
        work = f"{multiply_adds / 1e9:.3g}", dtype, f"{moved / 1e9:.3g}"
        share = f"**{row['roofline']:.0%}**"
        lines.append(
            [row["question"], *work, rates, "memory" if by_memory else "products", share, shares(row["where"])]
        )
    if not lines:
        return ""
    header = [
        "question",
        "10⁹ multiply-adds",
        "in",
        "10⁹ bytes",
        "the machine",
        "bound by",
        "reached",
        "where the time goes",
    ]
    return (
        "### How close to the limit\n\n"
        "The multiply-adds and bytes of memory that a task cannot do without, the rates of a large product and of a\n"
        "large copy measured in turn with it, and the share of the time that the slower of the two takes at these\n"
        "rates; none of it where the work depends on the data. Where the time goes, by JAX's own profile, in shares\n"
        "of the wall-clock time.\n\n"
        f"{markdown.table(header, lines)}\n"
    )


def _peer(row, against):
    """Give the name and the median of the peer that a goal names, (name, None) where it did not run."""
    measured = {name: peer["median"] for name, peer in row["peers"].items() if "median" in peer}
    name = min(measured, key=measured.get, default=against) if against == harness.FASTEST else against
    return name, measured.get(name)


def whole_paper(results: Path, bounds: dict[str, str]) -> str:
    """Say what the whole paper took, which its own run measures."""
    tasks = times_of_the_paper(results)
    whole = all(any(task["task"].startswith(f"table {number}") for task in tasks) for number in range(1, 7))
    minutes = sum(task["seconds"] for task in tasks) / 60
    took = f"{minutes:.0f} minutes" if whole else "not complete"
    bound = bounds[WHOLE_PAPER].strip() if whole and minutes > WHOLE_PAPER_MINUTES else ""
    told = f"{WHOLE_PAPER.capitalize()}: **{took}**; target ≤ {WHOLE_PAPER_MINUTES} minutes."
    return "\n".join(["## The whole paper", "", told, *([bound] if bound else []), ""])


def contenders(rows: list[dict]) -> str:
    """Lay out all contenders of every question, with the spread of their times and what was recorded of them."""
    lines = []
    for row in rows:
        for name, one in {"ours": row["ours"], **row["peers"]}.items():
            if "median" not in one:
                lines.append([row["question"], name, one["missing"], "", ""])
                continue
            recorded = ", ".join(f"{key} {one[key]:.3g}" for key in one if key not in ("median", "times"))
            span = f"{seconds(min(one['times']))} to {seconds(max(one['times']))}, {len(one['times'])} times"
            lines.append([row["question"], name, amount(row, one["median"]), span, recorded])
    header = ["question", "contender", "median", "least to most", "recorded"]
    return f"### All contenders\n\n{markdown.table(header, lines)}\n"


def stages(rows: list[dict]) -> str:
    """Name the most expensive stages of the whole paper, and where their time goes."""
    if not rows:
        return ""
    top = sorted(rows, key=lambda row: -row["whole_paper"])[:3]
    total = sum(row["whole_paper"] for row in rows) / 60
    lines = [[row["question"], f"{row['whole_paper'] / 60:.1f} minutes", shares(row["where"])] for row in top]
    return (
        "### Where the time of the whole paper goes\n\n"
        "What the whole paper takes is measured, and stands at the top.\n"
        f"Its stages are estimated, each from a smaller run of it, and come to {total:.0f} minutes together; fitting\n"
        f"and evaluating maps, pictures and starting up are not among them. {measurements.revisions(rows)}\n"
        "The three most expensive:\n\n"
        f"{markdown.table(['stage', 'of the whole paper', 'where the time goes'], lines)}\n"
    )


def shares(kinds: dict[str, float]) -> str:
    """Say where time goes, the four greatest shares."""
    return ", ".join(f"{kind} {share:.0%}" for kind, share in list(kinds.items())[:4])


def amount(row: dict, taken: float) -> str:
    """Give a time as a rate where the question has an amount, else as it is."""
    return f"{row['amount'] / taken:,.0f} {row['unit']}" if row["amount"] else seconds(taken)


def seconds(taken: float) -> str:
    """Give a time in seconds or milliseconds."""
    return f"{taken:.3g} s" if taken >= 1 else f"{taken * 1e3:.3g} ms"
