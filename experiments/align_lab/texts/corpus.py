"""Texts: a corpus of queries with their documents, and what is drawn from it."""

import gzip
import hashlib
import itertools
import re
import zlib
from pathlib import Path

import numpy as np

from align_lab.store import Store
from align_lab.texts.text_plans import Texts


def name(texts: Texts) -> str:
    """Give what the corpus is called in the rows."""
    return "wordnet" if Path(texts.corpus).is_dir() else Path(texts.corpus).stem


def source(texts: Texts, store: Store) -> str:
    """Say which texts rows are of: by the digest of the whole corpus."""
    words = "\0".join(itertools.chain.from_iterable(_pairs(texts, store)))
    return f"SHA-256 {hashlib.sha256(words.encode()).hexdigest()[:16]}"


def drawn(texts: Texts, store: Store) -> tuple[list[str], list[str]]:
    """Draw documents, and the queries of the first of them."""

    def draw():
        pairs = _pairs(texts, store)
        if len(pairs) < texts.documents:
            raise ValueError(f"{len(pairs)} documents in {texts.corpus} for --documents={texts.documents}")
        chosen = np.random.default_rng(0).permutation(len(pairs))[: texts.documents]
        return [pairs[i][1] for i in chosen], [pairs[i][0] for i in chosen[: texts.queries]]

    return store.remember(texts, draw)


def _pairs(texts, store):
    return store.remember(("corpus", texts.corpus), lambda: read_pairs(texts.corpus))


def read_pairs(corpus: str) -> list[tuple[str, str]]:
    """Read `(query, document)` strings, each document once, from WordNet's folder or from tab-separated lines."""
    path = Path(corpus)
    if path.is_dir():
        lines = [line for part in ("noun", "verb", "adj", "adv") for line in _lines(path / f"data.{part}")]
        pairs = [_synset(line, path) for line in lines if not line.startswith("  ")]
    elif path.is_file():
        pairs = [tuple(line.rstrip("\n").split("\t")) for line in _lines(path)]
        if wrong := [i for i, pair in enumerate(pairs, 1) if len(pair) != 2 or not all(pair)]:
            raise ValueError(f"{path}, line {wrong[0]}: expected query<TAB>document")
    else:
        raise FileNotFoundError(
            f"no corpus at {path}: install the Debian package wordnet-base, or name a file of pairs"
        )
    return list({document: (query, document) for query, document in pairs}.values())


def _lines(path):
    try:
        with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
            return list(file)
    except (EOFError, zlib.error, gzip.BadGzipFile, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is damaged: {error}") from error


def _synset(line, path):
    """Return the words and the definition, without its examples, of one line of WordNet's data files (wndb(5))."""
    try:
        fields, gloss = line.split(" | ", 1)
        fields = fields.split()
        words = fields[4 : 4 + 2 * int(fields[3], 16) : 2]
    except (ValueError, IndexError) as error:
        raise ValueError(f"{path} must have WordNet's data files; one has the line {line.strip()[:60]!r}") from error
    words = [re.sub(r"\(\w+\)$", "", word).replace("_", " ") for word in words]
    return ", ".join(words), gloss.split('; "')[0].strip()
