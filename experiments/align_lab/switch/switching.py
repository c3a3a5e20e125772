"""The embedding switch as an experiment: its flags, its plan, and what is shown of it."""

import dataclasses
import itertools

from absl import flags

from align.arrays.paths import expanded
from align_lab.asked import MOST_SEEDS, MOST_TEXTS, check_names, check_pairs, check_some, integers
from align_lab.launch import Experiment
from align_lab.switch import swapping
from align_lab.switch.groups import TABLE_OF_TEXTS, TOP
from align_lab.switch.switch_plans import Switch
from align_lab.texts.text_plans import Embedding, Texts

ASKING = ("words", "documents")
WITH_PAIRS = ("pairs", "old", "new", "asking", "solvers")  # flags that say nothing of a file of vectors


@dataclasses.dataclass(frozen=True)
class Encoders:
    """What is compared: encoders of the index and of the queries, solvers, anchors and seeds, on what texts."""

    old: tuple[str, ...]
    new: str
    asking: tuple[str, ...]
    solvers: tuple[str, ...]
    anchors: tuple[int, ...]
    seeds: tuple[int, ...]
    texts: Texts

    def described(self, store) -> list[str]:
        """Say on what texts, and what will be computed, a text for each."""
        texts, anchors = self.texts, ", ".join(map(str, self.anchors))
        return [
            f"data: {texts.documents:,} documents and {texts.queries:,} queries of {texts.corpus}",
            f"to compute: an index of {', '.join(self.old)}, asked by {', '.join(self.asking)} of {self.new}; "
            f"{', '.join(self.solvers)}; {anchors} anchors; {len(self.seeds)} seeds",
        ]

    def kept(self, store) -> str:
        """Say where what takes long to make is kept."""
        return f"embeddings: {store.embeddings}"


class Choices:
    """The flags of the embedding switch."""

    def define_flags(self) -> None:
        """Define the flags."""
        corpus = "File of `query<TAB>document` lines, or a folder with WordNet's data files."
        flags.DEFINE_string("pairs", "/usr/share/wordnet", corpus)
        old = "Encoders of the index, each a name of align_lab/texts/encoders.py or of a sentence-transformers model."
        flags.DEFINE_list("old", ["paraphrase-minilm-l3-v2", "lsa"], old)
        flags.DEFINE_string("new", "all-minilm-l6-v2", "Encoder of the queries.")
        asking = "Queries: words (the text that belongs to a document), documents (left out of the index)."
        flags.DEFINE_list("asking", list(ASKING), asking)
        solvers = "Solvers, by the names of align.solvers.SOLVERS, that fit pairs."
        flags.DEFINE_list("solvers", ["orthogonal", "rigid", "linear", "affine", "ridge"], solvers)
        flags.DEFINE_list(
            "anchors", ["50", "100", "300", "1000", "3000"], "Numbers of documents embedded by both encoders."
        )
        flags.DEFINE_integer("documents", 25_000, "Documents in the index.", 1, MOST_TEXTS)
        flags.DEFINE_integer("queries", 500, "Queries.", 1, MOST_TEXTS)
        flags.DEFINE_integer("seeds", 3, "Draws of the anchors.", 1, MOST_SEEDS)
        swapping.define_flags()

    def read(self, given: flags.FlagValues, store) -> "Encoders | swapping.Swaps":
        """Read the flags; ValueError names the one whose value makes no sense."""
        beside = swapping.WITH_VECTORS if not given.vectors else WITH_PAIRS
        if ignored := [name for name in beside if given[name].present]:
            raise ValueError(f"--{ignored[0]} goes {'without' if given.vectors else 'with'} --vectors")
        if given.vectors:
            return swapping.read(given, store)
        from align_lab.texts import corpus

        check_some("old", given.old)
        check_names("asking", given.asking, ASKING)
        check_names("solvers", given.solvers, solvers_of_pairs())
        anchors = integers("anchors", given)
        texts = Texts(expanded(given.pairs), given.documents, given.queries)
        if not TOP < texts.queries <= texts.documents - max(anchors, default=1):
            raise ValueError(
                f"--documents={texts.documents}, --queries={texts.queries}, --anchors={','.join(map(str, anchors))}; "
                f"expected queries + anchors <= documents, and more than {TOP} queries"
            )
        corpus.drawn(texts, store)
        check_pairs(anchors, given.solvers)
        old, asking, solvers = (tuple(dict.fromkeys(words)) for words in (given.old, given.asking, given.solvers))
        return Encoders(old, given.new, asking, solvers, anchors, tuple(range(given.seeds)), texts)


def solvers_of_pairs() -> tuple[str, ...]:
    """Give the solvers that fit pairs without further ado."""
    from align.solvers import SOLVERS

    return tuple(name for name, one in SOLVERS.items() if one.needs == "pairs" and not one.required)


def plan(wanted: "Encoders | swapping.Swaps", store) -> list:
    """Plan the embeddings, and the searches in every index."""
    if isinstance(wanted, swapping.Swaps):
        return swapping.plan(wanted, store)
    embeddings = {name: Embedding(name, wanted.texts) for name in (*wanted.old, wanted.new)}
    switches = [
        Switch(embeddings[old], embeddings[wanted.new], asking, wanted.solvers, wanted.anchors, wanted.seeds)
        for old, asking in itertools.product(wanted.old, wanted.asking)
    ]
    return [*embeddings.values(), *switches]


def pictures(wanted: "Encoders | swapping.Swaps", store):
    """Lay out and draw the rows of what is asked for."""
    if isinstance(wanted, swapping.Swaps):
        yield from swapping.pictures(wanted, store)
        return
    from align_lab.launch import rows_of
    from align_lab.switch import switch_page

    rows = rows_of(plan(wanted, store), store, TABLE_OF_TEXTS)
    page = switch_page.write(rows, store.results)
    yield switch_page.tables(rows)
    yield f"Table: {page}"


EMBEDDING_SWITCH = Experiment(Choices(), plan, pictures, (TABLE_OF_TEXTS, swapping.TABLE))
