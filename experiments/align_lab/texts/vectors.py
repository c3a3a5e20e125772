"""Vectors of texts by encoder: from a file, from the sample that is shipped, or embedded and kept."""

import hashlib
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from align.arrays import atomic
from align.data.texts import encoder_sample
from align_lab.store import Store
from align_lab.texts import corpus, encoders
from align_lab.texts.text_plans import Library, Space, Texts
from align_lab.texts.unit_length import unit

SAMPLE = "sample"
# The encoders that have short names here, in full.
PACKAGED = {
    "minilm_l6": "all-minilm-l6-v2",
    "minilm_l3": "paraphrase-minilm-l3-v2",
    "mpnet": "all-mpnet-base-v2",
}


def name(library: Library) -> str:
    """Give what the texts are called in the rows."""
    if library.file == SAMPLE:
        return "wordnet_sample"
    path = Path(library.file or library.corpus)
    return "wordnet" if path.is_dir() else path.name.partition(".")[0]


def source(library: Library, store: Store, *names: str) -> str:
    """Say which texts rows are of: by the digest of the file of vectors, or of the texts themselves.

    names: encoders; where one is not in the file, the digest of the texts stands beside the file's.
    """

    def of_texts():
        return hashlib.sha256("\0".join(documents(library, store)).encode()).hexdigest()

    def of_file():
        with open(library.file, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def digest(make):
        return f"SHA-256 {store.remember((make.__name__, library), make)[:16]}"

    if not library.file:
        return digest(of_texts)
    whole = "the shipped sample" if library.file == SAMPLE else digest(of_file)
    embedded = set(names) - set(ready(library, store))
    return f"{whole}; texts {digest(of_texts)}" if embedded else whole


def ready(library: Library, store: Store) -> dict[str, np.ndarray]:
    """Give the arrays of the library's file, `{encoder: [texts, d]}`, {} without one; ValueError for other contents."""

    def read():
        if not library.file:
            return {}
        if library.file == SAMPLE:
            return encoder_sample()._asdict()
        arrays = _read(library.file)
        if {array.ndim for array in arrays.values()} != {2} or len({len(array) for array in arrays.values()}) != 1:
            shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items()) or "no array"
            raise ValueError(f"--vectors must have arrays [texts, d] of as many texts, one an encoder; it has {shapes}")
        return {name: _checked(name, array) for name, array in arrays.items()}

    return store.remember(("vectors", library.file), read)


def _checked(name, array):
    """Give an array `[texts, d]` as finite float32; ValueError names it, and the first row that is not."""
    if array.dtype.kind not in "biuf" or not array.shape[1]:
        kind = f"{array.dtype}{list(array.shape)}"
        raise ValueError(f"--vectors must have real numbers in one dimension or more; {name} is {kind}")
    with np.errstate(over="ignore"):
        array = array.astype(np.float32)
    if (bad := ~np.isfinite(array).all(axis=1)).any():
        where = f"row {int(bad.argmax())} of {name}, one of {bad.sum():,},"
        raise ValueError(f"--vectors must be finite as float32; {where} is not")
    return array


def _read(path):
    try:
        with np.load(path, allow_pickle=False) as file:
            return dict(file.items())
    except (ValueError, AttributeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"--vectors must be an .npz file of arrays; {path} is none ({error})") from error


def documents(library: Library, store: Store) -> list[str]:
    """Give the texts: a corpus in its order beside a file of vectors, else so many drawn from it.

    ValueError where there is no corpus, or one that is not of the file's texts.
    """
    arrays = ready(library, store)
    if not arrays:
        return corpus.drawn(Texts(library.corpus, library.texts, 1), store)[0]
    if not library.corpus:
        raise ValueError(f"--corpus must name the texts of {library.file}, for encoders that are not in it")
    found = store.remember(("documents", library), lambda: [text for _, text in corpus.read_pairs(library.corpus)])
    if len(found) != (texts := len(next(iter(arrays.values())))):
        raise ValueError(f"--corpus must have the {texts} texts of --vectors, in their order; it has {len(found)}")
    return found


def called(name: str) -> str:
    """Give what files and rows call an encoder; see `encoders.called`."""
    return name if name in PACKAGED else encoders.called(name)


def file(space: Space, store: Store) -> Path:
    """Give the file of vectors that are embedded here, which is found again by the texts themselves."""
    known = [called(space.encoder), *documents(space.library, store)]
    texts = hashlib.sha256("\0".join(known).encode()).hexdigest()[:16]
    return store.embeddings / f"{space.encoder.replace('/', '_')}-{texts}.npz"


def cost(space: Space, store: Store) -> float:
    """Estimate the seconds that two cores take to embed what is not there yet."""
    if space.encoder in ready(space.library, store) or file(space, store).exists():
        return 0.0
    return encoders.TEXT_SECONDS * len(documents(space.library, store))


def work(space: Space, store: Store, advance: Callable[[float], None] = lambda share: None) -> None:
    """Embed the texts, and keep the vectors."""
    if not cost(space, store):
        return
    texts = documents(space.library, store)
    vectors, _ = encoders.encode(PACKAGED.get(space.encoder, space.encoder), texts, texts[:1])
    path = file(space, store)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic.replacing(path) as partial:
        np.savez(partial, vectors=unit(vectors).astype(np.float32))
    advance(1.0)


def of(space: Space, store: Store) -> np.ndarray:
    """Give the vectors `[texts, d]` of a space, float32, embedding them where they are missing."""
    arrays = ready(space.library, store)
    if space.encoder in arrays:
        return arrays[space.encoder]
    work(space, store)

    def read():
        return encoders.kept(file(space, store), "vectors")[0]

    return store.remember(space, read)
