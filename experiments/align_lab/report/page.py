"""The page of the whole paper, rebuilt from the rows: tables, claims, pictures and times."""

import json
import sys
from collections import Counter, defaultdict
from pathlib import Path

from absl import app, flags

from align import markdown, paper
from align.arrays import atomic
from align.arrays.paths import user_path
from align_lab import charts, pages, screen
from align_lab.report import paper_tables, published
from align_lab.report.claims import CLAIMS
from align_lab.store import times_of_the_paper

FLAGS = flags.FLAGS
# Experiments that write a page of their own beside this one.
BEYOND = {
    "knowledge": "the error against what is known, from all pairs through few anchors and labels to nothing",
    "embedding_switch": "the index of one text encoder asked by another",
    "encoder_switch": "the encoder of a search swapped: families of maps, the choice among them, clouds, peers",
    "classify": "the head of a classifier on the mapped codes of another: families of maps, and what they know",
    "rigidity": "what makes two spaces rigidly related: one factor of architecture and training at a time",
    "encoders": "maps between text encoders that have no text in common, or a few, and what is known of them",
    "consensus": "one space for many networks against maps of pairs; which networks are alike",
    "verdicts": "whether the verdict of a map without pairs is to be believed, on clouds that are drawn",
    "benchmarks": "times beside those of what one would use otherwise, and how close they come to the machine's limit",
}
OPEN = "open"
# Pictures that other pages show, by how their names begin.
ELSEWHERE = (*BEYOND, "growth", "networks")


def run(folder: Path) -> None:
    """Parse the flags and write the report; `folder` is where the rows are if --results does not say."""
    flags.DEFINE_string("results", str(folder), "Folder of the results.")
    flags.DEFINE_string("readme", None, "A README to put the headline table into, between its results markers.")
    if not screen.helps(FLAGS):
        app.run(_main, flags_parser=screen.parsed)


def _main(words):
    try:
        if words[1:]:
            raise ValueError(f"arguments must be flags, such as --results=DIR; there is {' '.join(words[1:])!r}")
        results = user_path(FLAGS.results)
        if not results.is_dir():
            raise ValueError(f"--results must be a folder of results; {results} is none")
        if FLAGS.readme:
            _fill(user_path(FLAGS.readme), results)
        print(write(results))
    except (ValueError, RuntimeError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)


def _fill(readme, results):
    """Put the headline table into a README, whose own text is read first."""
    rows, problems = published.read(results)
    text = readme.read_text()
    if mixed := [words for words in problems if published.SETTINGS in words]:
        raise ValueError(f"{mixed[0]}, and one figure would be of both; they need folders of their own (--results)")
    if [text.count(mark) for mark in ("<!-- results -->\n", "<!-- /results -->")] != [1, 1]:
        raise ValueError(f"--readme must have <!-- results --> and <!-- /results -->, once each; {readme} has not")
    filled = markdown.fill(text, "results", paper_tables.headline(rows))
    with atomic.replacing(readme) as partial:
        partial.write_text(filled)


def write(results: Path) -> Path:
    """Draw the tables, and write README.md into a folder of results, whole or not at all; return its path."""
    rows, problems = published.read(results)
    notes = markdown.sections(results / "notes.md")
    of_the_paper = {number: published.of_the_paper(number, found) for number, found in rows.items()}
    drawn = charts.draw(tuple(rows), of_the_paper.get, results / "pictures")
    pictures = {path.stem: f"![errors of {path.stem}](pictures/{path.name})\n" for path in drawn}
    parts = [_head(rows, problems)]
    for number, found in rows.items():
        parts += [paper_tables.table(number, found, notes), pictures.get(f"table{number}", "")]
    parts += [paper_tables.ablation(rows[5], notes), pictures.get("ablation", "")]
    of_its_data = {number: published.of_its_data(number, found) for number, found in of_the_paper.items()}
    parts += [_claims(of_its_data, published.under_the_papers_training(results))]
    parts += [_beyond(results), _pictures(results, drawn, notes), _times(results, notes)]
    path = results / "README.md"
    with atomic.replacing(path) as partial:
        partial.write_text("\n".join(part for part in parts if part))
    return path


def _head(rows, problems):
    everything = [row for table in rows.values() for row in table]
    if not everything:
        return "# Results\n\nNo rows yet: `python experiments/paper.py` makes them.\n"
    seeds = sorted({row["source_seed"] for row in everything})
    sources = ", ".join(sorted({f"{row['dataset']} ({row['data_source']})" for row in everything}))
    settings = Counter(json.dumps(row["settings"], sort_keys=True) for row in everything)
    devices = ", ".join(sorted({row["device"] for row in everything}))
    versions = sorted({", ".join(f"{name} {number}" for name, number in row["versions"].items()) for row in everything})
    lines = [
        "# The paper's tables and figures, reproduced",
        "",
        "Made by `python experiments/paper.py`, and rebuilt from the rows in `rows/` by "
        "`python experiments/report.py`. Errors are the mean squared error per standardised pixel on the test images. "
        "As in the paper, means carry no factor and standard deviations are in units of 10⁻³; ours are over ordered "
        "pairs of networks, those of a network by itself over networks, and have n and not n − 1 in the denominator. "
        "Each cell: **ours**, the paper's, and the ratio of the two.",
        "",
        "`rigid`, `linear` (without a shift): maps in closed form. `stitching_k2`: trained networks, hidden layers "
        "twice as wide as the latents. `decoder_only`: new decoders for distances to the anchors (relative "
        "representations); `end2end`: encoders and decoders trained on such distances, centred and scaled; (own): a "
        "network by itself. "
        "`means_rigid`: the map between the means of the classes; `means_icp_rigid`: after it closest points within "
        "the classes, iterated.",
        "",
        "What the paper leaves open is chosen here. The error and the standardisation are inferred: the paper's "
        "errors on MNIST approach what a decoder that ends in a sigmoid cannot go below; on Fashion-MNIST decoders "
        "are linear. The networks are not the same at all latents: from 50 on the convolutional encoder has 32 and 32 "
        "channels, kernels of 5 and 3, and the decoder is its mirror image; below it has 16 and 32 channels, kernels "
        "of 3, its decoder one dense layer of 256 more, and training weight decay. Fully connected networks have "
        "layers of 512 and 256. A one-cycle rate rises by a cosine to the one named below in the first 15 % of the "
        "steps, with Adam's b2 at 0.99 (0.999 at a constant rate). Stitching networks are trained for "
        "14 epochs at a constant rate of 1e-3, at least 3,000 steps. Anchors of Table 3 are drawn anew for every "
        "ordered pair of networks; in Tables 2, 5 and 6 one draw serves all, so deviations there say nothing of how "
        "much the draw of the anchors matters.",
        "",
        "A row of the files in `rows/` is one method on one ordered pair of networks: `table`, `dataset`, `method`, "
        "`source_model` and `source_seed` (whose codes), `target_model` and `target_seed` (whose decoder), `latent`, "
        "`anchors` (null: all pairs, or none), `settings` of the training, `test_error`, `seconds`, and where it was "
        "made: `device`, `versions`, `revision`. Where source and target are the same it is a network by itself.",
        "",
        f"- {len(everything):,} rows; seeds {', '.join(map(str, seeds))}; data: {sources}",
        *_of_other_data(rows),
        f"- {devices}; {'; '.join(versions)}",
        f"- {pages.revisions(everything).strip()}",
        *(f"- {count:,} rows with settings `{text}`" for text, count in settings.most_common()),
        f"- Missing, duplicate or unreadable rows: {len(problems)}" + (":" if problems else ""),
        *(f"  - {problem}" for problem in problems),
        "",
        f"On MNIST no error can lie below {paper.MNIST_FLOOR}: the target is the standardised image, the decoder ends "
        "in a sigmoid, and this is what remains of the pixels outside [0, 1].",
        "",
    ]
    return "\n".join(lines)


def _of_other_data(rows):
    """Say how many rows are of other data than their table, which does not show them; nothing where none are."""
    others = [row for number, found in rows.items() for row in found if row["dataset"] != published.DATASETS[number]]
    names = ", ".join(sorted({row["dataset"] for row in others}))
    words = "- Rows of other data than their table's, which are in no table:"
    return [f"{words} {len(others):,} ({names})"] if others else []


def _claims(rows, papers):
    """Check every claim on our rows, and on those of networks trained as the paper says where they are enough."""
    lines, variants = [], "; ".join(dict.fromkeys(row["source_model"] for own in papers.values() for row in own))
    for claim, check in CLAIMS.items():
        numbers, verdict = _checked(check, rows)
        theirs, decided = _checked(check, papers)
        under = f"{decided}: {theirs}" if decided != OPEN else ""
        lines.append([claim, numbers or "rows are missing", verdict, *([under] if variants else [])])
    columns = ["claim", "our rows", "verdict", *(["under the paper's training"] if variants else [])]
    table = markdown.table(columns, lines)
    note = (
        "Ours are trained by one cycle of a faster rate. Below latent 50 their encoders are smaller, their decoders "
        "have a dense layer more, and they are trained with weight decay, so a claim that compares latents below 50 "
        "with others compares two architectures as well. Networks trained end to end and new decoders are trained "
        "for 4 epochs, on MNIST at the rate of the autoencoders, on Fashion-MNIST at one of their own. Two claims are "
        "not checked: that stitching networks are very accurate on what they were trained on, as rows hold test "
        "errors, and that one of the three networks is to blame for the drop at latent 50, as none of ours is "
        "(`docs/networks.md`). "
    )
    if variants:
        note += (
            "The last column is of convolutional networks under what the paper says of its training, Adam at a "
            "constant rate of 1e-3 and batches of 64, for claims that the rows of "
            f"[rigidity.md](tables/rigidity.md) decide ({variants}): all at latent 50, from 100 anchors and all pairs. "
        )
    note += (
        "The numbers that the paper prints bear out every claim by these checks but two: k = 2 is the best stitching "
        "at latents 50 and 100 alone, where k = 4 and k = 1 are as good, and relative representations are better than "
        "the linear map of all pairs at latents 2 and 10. Its caption of Table 6 says besides that networks trained "
        "end to end are better than plain ones, against its Table 5 and its section 4.3.1."
    )
    return f"## The paper's claims, one by one\n\n{note}\n\n{table}\n"


def _checked(check, rows):
    """Give the numbers that decide a claim, and the verdict in words."""
    try:
        numbers, holds = check(rows)
    except ValueError as error:
        return str(error), OPEN
    except (LookupError, ZeroDivisionError):
        return "", OPEN
    return numbers, "holds" if holds else "does not hold"


def _beyond(results):
    """Point to the pages of what the paper does not have; they show their own pictures."""
    there = [name for name in BEYOND if (results / "tables" / f"{name}.md").exists()]
    lines = ["## Beyond the paper", ""] if there else []
    return "\n".join([*lines, *(f"- [{name}.md](tables/{name}.md): {BEYOND[name]}" for name in there), ""])


def _pictures(results, drawn, notes):
    found = sorted(set((results / "pictures").glob("*.png")) - set(drawn))
    found = [picture for picture in found if not picture.name.startswith(ELSEWHERE)]
    lines = ["## Pictures", "", notes.get("pictures", "")] if found else []
    for picture in found:
        lines += [f"![{picture.stem.replace('_', ' ')}](pictures/{picture.name})", ""]
    return "\n".join(lines)


def _times(results, notes):
    """Sum the seconds of all tasks by stage."""
    stages = defaultdict(float)
    for task in times_of_the_paper(results):
        stages[task["task"].split(",")[0]] += task["seconds"]
    if not stages:
        return ""
    lines = [[stage, f"{seconds / 60:.1f}"] for stage, seconds in stages.items()]
    lines.append(["**all**", f"**{sum(stages.values()) / 60:.1f}**"])
    return "\n".join(["## Time", "", notes.get("time", ""), markdown.table(["stage", "minutes"], lines), ""])
