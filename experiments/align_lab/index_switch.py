"""The embedding switch: what a search finds in the index of one encoder when another asks, by maps between them."""

import dataclasses
import itertools
import json
import os
import platform
import re
import sys
from importlib.metadata import version
from pathlib import Path

import jax
import numpy as np
from absl import app, flags
from rich.progress import track

from align import markdown as markdown_
from align import rows as results
from align import solvers
from align_lab import encoders

RESULTS = Path(__file__).parents[1] / "results"
TOP = 10
DIRECTIONS = ("queries", "index")
STYLES = ("o-", "s--", "^-", "v:", "D-.", "P-", "X--", "*-")
HELP = {
    "pairs": "file of `query<TAB>document` lines, or a folder with WordNet's data files",
    "old": "encoders of the index, each a name of this script or of a sentence-transformers model",
    "new": "encoder of the queries",
    "asking": "what queries are: words (the text that belongs to a document), documents (left out of the index)",
    "solvers": "names in align.solvers",
    "anchors": "numbers of documents embedded by both encoders",
    "documents": "documents in the index",
    "queries": "queries",
    "seeds": "draws of the anchors",
    "workdir": "where embeddings are kept",
    "output": "path of the results without their endings",
}


@dataclasses.dataclass(frozen=True)
class Config:
    """What is compared, on what; each field is a flag, described in `HELP`."""

    pairs: str = "/usr/share/wordnet"
    old: tuple[str, ...] = ("paraphrase-minilm-l3-v2", "lsa")
    new: str = "all-minilm-l6-v2"
    asking: tuple[str, ...] = ("words", "documents")
    solvers: tuple[str, ...] = ("orthogonal", "rigid", "linear", "affine", "ridge")
    anchors: tuple[int, ...] = (50, 100, 300, 1000, 3000)
    documents: int = 25000
    queries: int = 500
    seeds: int = 3
    workdir: str = "workdir"
    output: str = str(RESULTS / "embedding_switch")


# Text


def read_pairs(path):
    """Return `(query, document)` strings, each document once, from WordNet's folder or from tab-separated lines."""
    path = Path(path)
    if path.is_dir():
        lines = [line for part in ("noun", "verb", "adj", "adv") for line in (path / f"data.{part}").open()]
        pairs = [_synset(line) for line in lines if not line.startswith("  ")]
    elif path.is_file():
        pairs = [tuple(line.rstrip("\n").split("\t")) for line in path.open()]
        if wrong := [i for i, pair in enumerate(pairs, 1) if len(pair) != 2 or not all(pair)]:
            raise ValueError(f"{path}, line {wrong[0]}: expected query<TAB>document")
    else:
        raise FileNotFoundError(
            f"no corpus at {path}: install the Debian package wordnet-base, or name a file of pairs"
        )
    return list({document: (query, document) for query, document in pairs}.values())


def _synset(line):
    """Return the words and the definition, without its examples, of one line of WordNet's data files (wndb(5))."""
    fields, gloss = line.split(" | ", 1)
    fields = fields.split()
    words = [re.sub(r"\(\w+\)$", "", word).replace("_", " ") for word in fields[4 : 4 + 2 * int(fields[3], 16) : 2]]
    return ", ".join(words), gloss.split('; "')[0].strip()


# Search


def search(queries, documents):
    """Return the indices `[queries, 10]` of the nearest documents by cosine, in no order."""
    similarity = encoders.unit(np.asarray(queries)) @ encoders.unit(np.asarray(documents)).T
    return np.argpartition(-similarity, TOP, axis=1)[:, :TOP]


def scores(found, wanted, own):
    """Return recall of the documents `wanted` by full re-embedding, and hits of each query's own document."""
    common = (found[:, :, None] == wanted[:, None, :]).sum((1, 2)) / TOP
    return {"recall": float(common.mean()), "hit": float((found == own[:, None]).any(1).mean())}


def compare(config, asking, old, new):
    """Yield one record per (method, direction, anchors, seed) of an old encoder's index under the new one's queries."""
    if asking == "documents":
        old, new = ((documents[config.queries :], documents[: config.queries]) for documents, _ in (old, new))
    (old_documents, old_queries), (new_documents, new_queries) = old, new
    wanted = search(new_queries, new_documents)
    own = np.arange(config.queries) if asking == "words" else (new_queries @ new_documents.T).argmax(1)
    yield {"method": "re-embedding", **scores(wanted, wanted, own)}
    yield {"method": "old encoder", **scores(search(old_queries, old_documents), wanted, own)}
    if old_documents.shape[1] == new_documents.shape[1]:
        yield {"method": "no map", **scores(search(new_queries, old_documents), wanted, own)}
    strangers = np.arange(config.queries if asking == "words" else 0, len(old_documents))
    cells = list(itertools.product(range(config.seeds), config.anchors, config.solvers, DIRECTIONS))
    for seed, n, name, direction in track(cells, "maps"):
        # The anchors of a seed grow with n; none of them is the document of a query.
        anchors = np.random.default_rng(seed).permutation(strangers)[:n]
        source, target = (new_documents, old_documents) if direction == "queries" else (old_documents, new_documents)
        if source.shape[1] > target.shape[1] and name in ("orthogonal", "rigid", "similarity"):
            continue  # no map of this family into fewer dimensions
        fitted = getattr(solvers, name)(source[anchors], target[anchors])
        if direction == "queries":
            found = search(fitted(new_queries), old_documents)
        else:
            found = search(new_queries, fitted(old_documents))
        yield {"method": name, "direction": direction, "anchors": n, "seed": seed, **scores(found, wanted, own)}


def run(config):
    """Return all rows of a configuration, each with what was compared and on what."""
    if wrong := set(config.asking) - {"words", "documents"}:
        raise ValueError(f"unknown --asking {wrong.pop()!r}; expected words, documents")
    known = [name for name, one in solvers.SOLVERS.items() if one.needs == "pairs" and not one.required]
    if unknown := [name for name in config.solvers if name not in known]:
        raise ValueError(f"unknown solver {unknown[0]!r}; expected names among {', '.join(known)}")
    pairs = read_pairs(config.pairs)
    if len(pairs) < config.documents or not TOP < config.queries < config.documents - max(config.anchors):
        raise ValueError(
            f"{len(pairs)} documents in {config.pairs} for documents={config.documents}, queries={config.queries}, "
            f"anchors={config.anchors}; expected queries + anchors <= documents, and more than {TOP} queries"
        )
    chosen = np.random.default_rng(0).permutation(len(pairs))[: config.documents]
    documents = [pairs[i][1] for i in chosen]
    queries = [pairs[i][0] for i in chosen[: config.queries]]
    embedded = {name: encoders.embed(name, documents, queries, config.workdir) for name in (*config.old, config.new)}
    provenance = {
        "device": jax.devices()[0].device_kind,
        "versions": {name: version(name) for name in ("jax", "numpy")} | {"python": platform.python_version()},
    }
    rows = []
    dimensions = {encoder: vectors[0].shape[1] for encoder, vectors in embedded.items()}
    for name, asking in itertools.product(config.old, config.asking):
        for record in compare(config, asking, embedded[name], embedded[config.new]):
            source, target = (name, config.new) if record.get("direction") == "index" else (config.new, name)
            row = {
                "table": "embedding_switch",
                "dataset": "wordnet" if Path(config.pairs).is_dir() else Path(config.pairs).stem,
                "source_model": source,
                "target_model": target,
                "latent": dimensions[target],
                "anchors": None,
                "source_seed": record.get("seed"),
                "target_seed": record.pop("seed", None),
                "test_error": 1 - record["recall"],
                "old": name,
                "new": config.new,
                "asking": asking,
                "direction": None,
                "documents": config.documents,
                "queries": config.queries,
                **record,
                **provenance,
            }
            rows.append(results.check(row))
    return rows


# Report


def summary(rows, **cell):
    """Return {(method, anchors): (mean recall, mean hit, deviation of recall)} of the rows that agree with `cell`."""
    grouped = {}
    for row in rows:
        if all(row[name] in (value, None) for name, value in cell.items()):  # no direction: a row of both
            grouped.setdefault((row["method"], row["anchors"]), []).append((row["recall"], row["hit"]))
    return {key: (*np.mean(pairs, 0), np.std(pairs, 0)[0]) for key, pairs in grouped.items()}


def markdown(rows):
    """Lay the rows out as one Markdown table for each old encoder, kind of query, and direction."""
    counts = sorted({row["anchors"] for row in rows if row["anchors"]})
    text = "Recall@10 of full re-embedding in %, mean ± deviation over draws of anchors (hit@10 in %).\n"
    for (old, asking), direction in itertools.product(dict.fromkeys((r["old"], r["asking"]) for r in rows), DIRECTIONS):
        cells = summary(rows, old=old, asking=asking, direction=direction)
        new = rows[0]["new"]
        mapped = f"queries of {new} mapped to {old}" if direction == "queries" else f"index of {old} mapped to {new}"
        records = []
        for method in dict.fromkeys(method for method, _ in cells):
            if (method, None) in cells:
                recall, hit, _ = cells[method, None]
                entries = {str(n): f"{100 * recall:.1f} ({100 * hit:.1f})" for n in counts}
            else:
                entries = {
                    str(n): f"{100 * recall:.1f} ± {100 * deviation:.1f} ({100 * hit:.1f})"
                    for n in counts
                    for recall, hit, deviation in [cells[method, n]]
                }
            records.append({"anchors": method, **entries})
        text += f"\n**Asked by {asking}, {mapped}**\n\n{markdown_table(records)}"
    return text


def markdown_table(records):
    return markdown_.records(records) + "\n"


def plot(rows, path):
    """Draw recall against anchors: a column for each index and kind of query, a row for each direction."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    columns = list(dict.fromkeys((row["old"], row["asking"]) for row in rows))
    methods = dict.fromkeys(row["method"] for row in rows if row["anchors"])
    styles = {method: f"C{k}{STYLES[k % len(STYLES)]}" for k, method in enumerate(methods)}
    figure, axes = pyplot.subplots(2, len(columns), figsize=(3 * len(columns) + 1, 6), sharex=True, squeeze=False)
    for (direction, line), (old, asking) in itertools.product(zip(DIRECTIONS, axes, strict=True), columns):
        axis = line[columns.index((old, asking))]
        cells = summary(rows, old=old, asking=asking, direction=direction)
        for method in dict.fromkeys(method for method, n in cells if n):
            n, mean, deviation = zip(*((n, *cells[m, n][::2]) for m, n in cells if m == method), strict=True)
            axis.errorbar(n, mean, deviation, fmt=styles[method], label=method, markersize=4, linewidth=1.2)
        for method, style in (("old encoder", "--"), ("no map", ":")):
            if (method, None) in cells:
                axis.axhline(cells[method, None][0], color="grey", linestyle=style, label=method)
        axis.set(xscale="log", ylim=(0, None), ylabel=f"recall@10, {direction} mapped" if axis is line[0] else "")
        axis.grid(alpha=0.3)
    for axis, bottom, (old, asking) in zip(*axes, columns, strict=True):
        axis.set_title(f"{old}\nasked by {asking}", fontsize=9)
        bottom.set_xlabel("anchors")
    handles = dict(pair[::-1] for axis in axes.flat for pair in zip(*axis.get_legend_handles_labels(), strict=True))
    figure.legend(handles.values(), handles.keys(), loc="lower center", ncols=7, fontsize=8, frameon=False)
    figure.tight_layout(rect=(0, 0.05, 1, 1))
    figure.savefig(path, dpi=150)
    pyplot.close(figure)


HEAD = """# The index of one text encoder, asked by another

Made by `python experiments/embedding_switch.py`.

![Recall at 10 against the number of anchors]({name}.png)

"""


def write(rows, output):
    """Write rows, table and picture beside each other, each whole or not at all."""
    output = Path(output)
    output.parent.mkdir(parents=True, exist_ok=True)
    writers = {
        ".jsonl": lambda path: path.write_text("".join(json.dumps(row) + "\n" for row in rows)),
        ".md": lambda path: path.write_text(HEAD.format(name=output.name) + markdown(rows)),
        ".png": lambda path: plot(rows, path),
    }
    for suffix, writer in writers.items():
        partial = output.with_name(f".{output.name}.{os.getpid()}{suffix}")
        try:
            writer(partial)
            os.replace(partial, output.with_name(output.name + suffix))
        finally:
            partial.unlink(missing_ok=True)


def define_flags():
    """Define one flag for each field of `Config`."""
    for field in dataclasses.fields(Config):
        if isinstance(field.default, tuple):
            flags.DEFINE_list(field.name, list(map(str, field.default)), HELP[field.name])
        else:
            define = flags.DEFINE_integer if isinstance(field.default, int) else flags.DEFINE_string
            define(field.name, field.default, HELP[field.name])


def main(_):
    values = {field.name: getattr(flags.FLAGS, field.name) for field in dataclasses.fields(Config)}
    try:
        lists = {name: tuple(values[name]) for name in ("old", "asking", "solvers")}
        rows = run(Config(**values | lists | {"anchors": tuple(map(int, values["anchors"]))}))
    except (ImportError, OSError, ValueError) as error:
        sys.exit(f"embedding_switch: {error}")
    write(rows, values["output"])
    print(markdown(rows))
    print(f"Rows, table and picture: {values['output']}.jsonl, .md, .png")


def launch() -> None:
    """Parse the flags, compare, and write rows, table and picture."""
    define_flags()
    app.run(main)
