"""The report on the whole paper, made from the rows: every cell beside the paper's, pictures, claims, times."""

import json
from collections import Counter, defaultdict
from pathlib import Path

from absl import app, flags

from align import markdown, paper
from align.arrays import atomic
from align.rows import RowError, identity
from align.rows import read as read_rows
from align_lab import charts
from align_lab.claims import CLAIMS

FLAGS = flags.FLAGS
TITLES = {
    1: "MNIST, the whole training set as pairs",
    2: "MNIST, relative representations",
    3: "MNIST, a few anchors as pairs",
    4: "MNIST, class labels only",
    5: "Fashion-MNIST, between architectures: direct maps and relative representations with new decoders",
    6: "Fashion-MNIST, between architectures: relative representations trained end to end",
}

# Experiments that write a report of their own beside this one.
BEYOND = {
    "knowledge": "the error against what is known, from all pairs through few anchors and labels to nothing",
    "embedding_switch": "the index of one text encoder asked by another",
}


def write(results: Path) -> Path:
    """Draw the tables, and write README.md into a folder of rows, whole or not at all; return its path."""
    rows, problems = read(results)
    notes = markdown.sections(results / "notes.md")
    drawn = charts.draw(tuple(TITLES), lambda table: _of_the_paper(table, rows[table]), results / "pictures")
    pictures = {path.stem: f"![errors of {path.stem}](pictures/{path.name})\n" for path in drawn}
    parts = [_head(rows, problems)]
    for number in TITLES:
        parts += [_table(number, rows[number], notes), pictures.get(f"table{number}", "")]
    parts += [_ablation(rows[5], notes), pictures.get("ablation", ""), _claims(rows)]
    parts += [_beyond(results), _pictures(results, drawn, notes), _times(results, notes)]
    path = results / "README.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic.replacing(path) as partial:
        partial.write_text("\n".join(part for part in parts if part))
    return path


def read(results: Path) -> tuple[dict[int, list[dict]], list[str]]:
    """Read the rows of all tables, each once; and say in words what is missing, duplicate or no row."""
    rows, problems = {}, []
    for number in TITLES:
        file = results / "rows" / f"table{number}.jsonl"
        try:
            found = read_rows(file)
        except RowError as error:
            problems.append(str(error))
            found = []
        unique = {identity(row): row for row in found}
        if len(unique) < len(found):
            problems.append(f"{file.name}: {len(found) - len(unique)} duplicate rows, counted once")
        rows[number] = list(unique.values())
        counts = Counter(map(paper.key_of, rows[number]))
        for key, settings in _settings(rows[number]).items():
            if len(settings) > 1:
                problems.append(f"{file.name}: {_name(key)} has rows of {len(settings)} different settings")
        missing = [_name(key) for key in paper.CELLS if key.table == number and not counts[key]]
        if missing:
            more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
            problems.append(f"{file.name}: no row of {'; '.join(missing[:5])}{more}")
    return rows, problems


def headline(rows: dict[int, list[dict]]) -> str:
    """Lay out what the README shows: transfer by the closed forms and their rivals, ours beside the paper's."""
    ours = {key: one for table in rows.values() for key, one in paper.summarise(table).items()}
    columns = ("autoencoder", "rigid", "linear", "stitching_k2", "end2end")
    lines = [f"| data | networks | latent | anchors | {' | '.join(columns)} |", "|" + " --- |" * (4 + len(columns))]
    settings = [(3, 2, "mnist", "conv", "conv", *one) for one in ((10, 100), (30, 100), (50, 100), (100, 200))]
    for source, target in (("conv", "mlp"), ("mlp", "conv")):
        settings += [(5, 6, "fashion_mnist", source, target, *one) for one in paper.ARCHITECTURE_SETTINGS]
    for direct, relative, dataset, source, target, latent, anchors in settings:
        texts = []
        for method in columns:
            own = method == "autoencoder"
            table, first = relative if method == "end2end" else direct, target if own else source
            key = paper.Key(table, dataset, method, first, target, latent, None if own else anchors, own)
            theirs = paper.CELLS.get(key)
            texts.append(f"**{ours[key].mean:.3f}** ({theirs.mean:.3f})" if key in ours and theirs else "")
        between = source if source == target else f"{source} → {target}"
        if any(texts):
            lines.append(f"| {dataset} | {between} | {latent} | {anchors} | {' | '.join(texts)} |")
    return "\n".join(lines)


def fill(readme: Path, text: str) -> None:
    """Put text between the results markers of a README."""
    before, rest = readme.read_text().split("<!-- results -->\n")
    _, after = rest.split("<!-- /results -->")
    readme.write_text(f"{before}<!-- results -->\n{text}\n<!-- /results -->{after}")


def _of_the_paper(table, rows):
    """Leave out rows of other data: what is drawn together must be comparable."""
    wanted = "fashion_mnist" if table > 4 else "mnist"
    return [row for row in rows if row["dataset"] == wanted] or rows


def _settings(rows):
    found = defaultdict(set)
    for row in rows:
        found[paper.key_of(row)].add(json.dumps(row["settings"], sort_keys=True))
    return found


def _name(key):
    anchors = f", {key.anchors} anchors" if key.anchors else ""
    return f"{key.method}{' (own)' if key.own else ''}, {key.source_model} → {key.target_model}, {key.latent}{anchors}"


def _head(rows, problems):
    everything = [row for table in rows.values() for row in table]
    if not everything:
        return "# Results\n\nNo rows yet: `python experiments/paper.py` makes them.\n"
    seeds = sorted({row["source_seed"] for row in everything})
    sources = ", ".join(sorted({f"{row['dataset']} ({row['data_source']})" for row in everything}))
    settings = Counter(json.dumps(row["settings"], sort_keys=True) for row in everything)
    devices = ", ".join(sorted({row["device"] for row in everything}))
    versions = everything[-1]["versions"]
    lines = [
        "# The paper's tables and figures, reproduced",
        "",
        "Made by `python experiments/paper.py`, and rebuilt from the rows beside this file by "
        "`python experiments/report.py`. Errors are the mean squared error per standardised pixel on the test images. "
        "As in the paper, means carry no factor and standard deviations (over ordered pairs of networks) are in units "
        "of 10⁻³. Each cell: **ours**, the paper's, and the ratio of the two.",
        "",
        f"- {len(everything):,} rows; seeds {', '.join(map(str, seeds))}; data: {sources}",
        f"- {devices}; " + ", ".join(f"{name} {number}" for name, number in versions.items()),
        *(f"- {count:,} rows with settings `{text}`" for text, count in settings.most_common()),
        f"- Missing, duplicate or unreadable rows: {len(problems)}" + (":" if problems else ""),
        *(f"  - {problem}" for problem in problems),
        "",
        f"On MNIST no error can lie below {paper.MNIST_FLOOR}: the target is the standardised image, the decoder ends "
        "in a sigmoid, and this is what remains of the pixels outside [0, 1].",
        "",
    ]
    return "\n".join(lines)


def _table(number, rows, notes):
    """Lay a table out as the paper does: a line per latent, anchors and direction, a column per method."""
    ours = paper.summarise(rows)
    theirs = {key: cell for key, cell in paper.CELLS.items() if key.table == number}
    keys = [key for key in dict.fromkeys([*theirs, *ours]) if not key.method.startswith("decoder_only_")]
    columns = list(dict.fromkeys((key.method, key.own) for key in keys))
    settings = sorted({(key.latent, key.anchors) for key in keys if key.anchors or number in (1, 4)}, key=_order)
    if number in (1, 4):
        settings = sorted({(key.latent, None) for key in keys})
    directions = list(dict.fromkeys((key.source_model, key.target_model) for key in keys))
    lines = [f"## Table {number}: {TITLES[number]}", ""]
    names = [f"{method} (own)" if own and method != "autoencoder" else method for method, own in columns]
    header = ["latent", "anchors", "networks", *names]
    lines += [f"| {' | '.join(header)} |", "|" + " --- |" * len(header)]
    for source, target in directions:
        for latent, anchors in settings:
            texts = []
            for method, own in columns:
                key = paper.Key(
                    number,
                    "fashion_mnist" if number > 4 else "mnist",
                    method,
                    source,
                    target,
                    latent,
                    None if method == "autoencoder" else anchors,
                    own,
                )
                texts.append(_cell(ours.get(key), theirs.get(key)))
            if any(texts):
                between = source if source == target else f"{source} → {target}"
                lines.append(f"| {latent} | {anchors or ''} | {between} | {' | '.join(texts)} |")
    over = [
        f"{_name(key)} ({ours[key].mean:.4f}, paper {cell.mean:.3f})"
        for key, cell in theirs.items()
        if key in ours and ours[key].mean > cell.mean + 5e-5
    ]
    both = len(theirs.keys() & ours.keys())
    lines += [
        "",
        f"Of the paper's {len(theirs)} cells ours has {both}; {both - len(over)} are at or below the paper's.",
    ]
    if over:
        lines += ["Above it: " + "; ".join(over) + "."]
    return "\n".join([*lines, "", notes.get(f"table {number}", "")])


def _order(setting):
    return setting[0], setting[1] or 0


def _cell(ours, theirs):
    lines = [f"**{ours.mean:.4f}** ± {ours.std * 1e3:.1f}"] if ours else []
    lines += [f"{theirs.mean:.3f} ± {theirs.std:g}"] if theirs else []
    lines += [f"× {ours.mean / theirs.mean:.3f}"] if ours and theirs else []
    return "<br>".join(lines)


def _ablation(rows, notes):
    """Lay out the variants of decoder_only between architectures, one cause of its failure taken away at a time."""
    ours = paper.summarise(row for row in rows if row["method"].startswith("decoder_only"))
    variants = list(dict.fromkeys(key.method for key in ours))
    if len(variants) < 2:
        return ""
    cells = dict.fromkeys(
        (k.latent, k.anchors, k.source_model, k.target_model) for k in ours if k.method != "decoder_only"
    )
    lines = ["## Why decoder-only fails between architectures", "", notes.get("ablation", "")]
    header = ["variant", *(f"{s} → {t} ({latent}, {count})" for latent, count, s, t in cells)]
    lines += [f"| {' | '.join(header)} |", "|" + " --- |" * len(header)]
    for variant in variants:
        texts = []
        for latent, count, source, target in cells:
            key = paper.Key(5, "fashion_mnist", variant, source, target, latent, count, source == target)
            texts.append(_cell(ours.get(key), None))
        lines.append(f"| {variant} | {' | '.join(texts)} |")
    return "\n".join([*lines, ""])


def _claims(rows):
    lines = ["## The paper's claims, one by one", "", "| claim | our rows | verdict |", "| --- | --- | --- |"]
    for claim, check in CLAIMS.items():
        try:
            numbers, holds = check(rows)
        except (LookupError, ZeroDivisionError, ValueError):
            numbers, holds = "rows are missing", None
        lines.append(f"| {claim} | {numbers} | {({True: 'holds', False: 'does not hold', None: 'open'})[holds]} |")
    return "\n".join([*lines, ""])


def _beyond(results):
    """Point to the reports of what the paper does not have; they show their own pictures."""
    there = [name for name in BEYOND if (results / "tables" / f"{name}.md").exists()]
    lines = ["## Beyond the paper", ""] if there else []
    return "\n".join([*lines, *(f"- [{name}.md](tables/{name}.md): {BEYOND[name]}" for name in there), ""])


def _pictures(results, drawn, notes):
    elsewhere = {picture for name in (*BEYOND, "growth") for picture in (results / "pictures").glob(f"{name}*.png")}
    pictures = sorted(set((results / "pictures").glob("*.png")) - set(drawn) - elsewhere)
    lines = ["## Pictures", "", notes.get("pictures", "")] if pictures else []
    for picture in pictures:
        lines += [f"![{picture.stem.replace('_', ' ')}](pictures/{picture.name})", ""]
    return "\n".join(lines)


def _times(results, notes):
    """Sum the seconds of all tasks by stage."""
    file = results / "rows" / "timings.jsonl"
    if not file.exists():
        return ""
    stages = defaultdict(float)
    for line in file.read_text().splitlines():
        task = json.loads(line)
        stages[task["task"].split(",")[0]] += task["seconds"]
    lines = ["## Time", "", notes.get("time", "")]
    lines += ["| stage | minutes |", "| --- | --- |"]
    lines += [f"| {stage} | {seconds / 60:.1f} |" for stage, seconds in stages.items()]
    lines += [f"| **all** | **{sum(stages.values()) / 60:.1f}** |", ""]
    return "\n".join(lines)


def run(folder: Path) -> None:
    """Parse the flags and write the report; `folder` is where the rows are if --results does not say."""
    flags.DEFINE_string("results", str(folder), "Folder of the rows.")
    flags.DEFINE_string("readme", None, "A README to put the headline table into, between its results markers.")
    app.run(_main)


def _main(_):
    results = Path(FLAGS.results)
    if FLAGS.readme:
        fill(Path(FLAGS.readme), headline(read(results)[0]))
    print(write(results))
