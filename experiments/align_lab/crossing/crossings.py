"""Maps between encoders as an experiment: its flags, its plan, and what is shown of it."""

import dataclasses
import itertools
import os

from absl import flags

from align.arrays.paths import expanded
from align_lab.asked import MOST_SEEDS, MOST_TEXTS, check_names, integers, not_installed
from align_lab.crossing.crossing_plans import Crossing
from align_lab.crossing.named import CONTROLS, METHODS, NEEDS, OTHERS, PAIRED, TABLE, UNAIDED
from align_lab.launch import Experiment
from align_lab.texts.text_plans import Library, Space


@dataclasses.dataclass(frozen=True)
class Crossings:
    """What is compared: ordered pairs of encoders, texts a side, known pairs, methods, controls and keys."""

    library: Library
    between: tuple[tuple[str, str], ...]
    texts: tuple[int, ...]
    pairs: tuple[int, ...]
    methods: tuple[str, ...]
    controls: tuple[str, ...]
    keys: tuple[int, ...]
    left_out: tuple[str, ...] = ()

    def described(self, store) -> list[str]:
        """Say on what texts, and what will be computed, a text for each."""
        texts, pairs = (", ".join(f"{count:,}" for count in counts) for counts in (self.texts, self.pairs))
        between = ", ".join(f"{source} → {target}" for source, target in self.between)
        lacking = ", ".join(self.left_out)
        return [
            f"data: {self.library.file or self.library.corpus}, {self.library.held_out:,} texts held out",
            f"to compute: {between}; {texts} texts a side; {pairs} pairs; {', '.join(self.methods)}; "
            f"controls: {', '.join(self.controls) or 'none'}; {len(self.keys)} keys",
            *([f"left out, as scikit-learn is not installed: {lacking}"] if lacking else []),
        ]

    def kept(self, store) -> str:
        """Say where what takes long to make is kept."""
        return f"embeddings: {store.embeddings}"


class Choices:
    """The flags of the crossings."""

    def define_flags(self) -> None:
        """Define the flags."""
        vectors = "An .npz file with an array [texts, d] for each encoder, rows of the same texts; 'sample' is shipped."
        flags.DEFINE_string("vectors", "", vectors)
        corpus = "Texts for encoders that are not in the file: query<TAB>document lines, or WordNet's folder."
        flags.DEFINE_string("corpus", "/usr/share/wordnet", corpus)
        flags.DEFINE_integer(
            "documents", 28_000, "Texts that are drawn from the corpus, without a file.", 1, MOST_TEXTS
        )
        flags.DEFINE_integer("held_out", 4000, "Texts that no map sees, the last.", 10, MOST_TEXTS)
        encoders = "Encoders: all ordered pairs of them; by default those of the file."
        flags.DEFINE_list("encoders", None, encoders)
        flags.DEFINE_list("between", None, "Ordered pairs alone, such as minilm_l6:mpnet,mpnet:minilm_l6.")
        flags.DEFINE_list("texts", ["1500", "3000", "12000"], "Texts a side; no text is on both.")
        flags.DEFINE_list(
            "pairs", ["0", "5", "10", "20", "50", "100", "1000"], "Texts that both embed, known as pairs."
        )
        flags.DEFINE_list("methods", list(METHODS), "Methods; those that know pairs alone are also given all of them.")
        flags.DEFINE_list("controls", list(CONTROLS), "What takes the place of the target's cloud; empty for none.")
        others = "Texts of another kind, as --vectors or as --corpus, for a control with them as the target's cloud."
        flags.DEFINE_string("others", "", others)
        flags.DEFINE_integer("keys", 10, "Draws of the texts.", 1, MOST_SEEDS)
        flags.DEFINE_string("data_dir", None, "Folder of the images of a control; the default is found for you.")

    def read(self, given: flags.FlagValues, store) -> Crossings:
        """Read the flags; ValueError names the one whose value makes no sense."""
        methods, controls = (tuple(dict.fromkeys(filter(None, given[name].value))) for name in ("methods", "controls"))
        check_names("methods", list(methods), METHODS)
        check_names("controls", list(controls), CONTROLS, some=False)
        left_out = tuple(name for name in not_installed(NEEDS) if name in methods)
        methods = tuple(name for name in methods if name not in left_out)
        texts = integers("texts", given)
        pairs = tuple(dict.fromkeys(map(_whole, filter(None, given.pairs))))
        file = given.vectors if given.vectors in ("", "sample") else expanded(given.vectors)
        if given.between is not None and given.encoders is not None:
            raise ValueError("--encoders is of all their ordered pairs, and --between of some: give one of the two")
        of_a_corpus = not file or (given.others and not _ready(given.others))
        if given["documents"].present and not of_a_corpus:
            raise ValueError(f"--documents={given.documents} are drawn from a corpus; --vectors has all of its texts")
        others = _others(given)
        library = Library(file, expanded(given.corpus), 0 if file else given.documents, given.held_out, others)
        if others:
            from align_lab.texts import vectors

            controls += (f"{OTHERS}: {vectors.name(others)}, {vectors.source(others, store)}",)
            if (there := _texts(others, store)) < max(texts, default=1):
                raise ValueError(f"--others={given.others} has {there} texts; --texts={max(texts)} needs as many")
        kept = _texts(library, store) - library.held_out
        if 2 * max(texts, default=1) > kept or max(pairs, default=0) > kept:
            raise ValueError(
                f"--texts={','.join(given.texts)}, --pairs={','.join(given.pairs)}: two sides of other texts, and the "
                f"pairs, must fit into the {kept:,} that are not held out"
            )
        if "images" in controls and "unpaired" in methods and (given.data_dir or os.environ.get("ALIGN_DATA_DIR")):
            store.data("mnist")  # in a folder that is named they may not be
        between, keys = _between(given, library, store), tuple(range(given.keys))
        return Crossings(library, between, texts, pairs, methods, controls, keys, left_out)


def _others(given):
    """Give the library of texts of another kind, from vectors or from a corpus."""
    if not given.others:
        return None
    path = given.others if given.others == "sample" else expanded(given.others)
    return Library(path, "", 0, 0) if _ready(given.others) else Library("", path, given.documents, 0)


def _ready(others):
    """Say whether --others names vectors, and not a corpus."""
    return others == "sample" or others.endswith(".npz")


def _whole(text):
    if not text.strip().isdecimal() or int(text) == 1:
        raise ValueError(f"--pairs must be 0, or whole numbers from 2; one of them is {text!r}")
    return int(text)


def _between(given, library, store):
    """Give ordered pairs of encoders by name."""
    from align_lab.texts import vectors

    if given.between is None:
        names = given.encoders or vectors.ready(library, store) or (*vectors.PACKAGED, "lsa")
        if len(set(names)) < 2:
            raise ValueError(f"--encoders must be two or more, for a pair of them; they are {', '.join(names)}")
        return tuple(itertools.permutations(dict.fromkeys(names), 2))
    pairs = tuple(dict.fromkeys(tuple(text.split(":")) for text in given.between))
    if wrong := [pair for pair in pairs if len(pair) != 2 or not all(pair)]:
        raise ValueError(f"--between must be such as minilm_l6:mpnet; one of them is {':'.join(wrong[0])!r}")
    return pairs


def _texts(library, store):
    from align_lab.texts import vectors

    arrays = vectors.ready(library, store)
    return len(next(iter(arrays.values()))) if arrays else library.texts


def plan(wanted: Crossings, store) -> list:
    """Plan the vectors, and the crossings: the paired maps from as many pairs as texts, then from fewer, and controls.

    Crossings of one shape follow each other: what is compiled for it serves all.
    """
    names = dict.fromkeys(name for pair in wanted.between for name in pair)
    spaces = {name: Space(name, wanted.library) for name in names}
    paired = tuple(method for method in wanted.methods if method in PAIRED)
    others = tuple(method for method in wanted.methods if method not in PAIRED)
    aided = tuple(method for method in wanted.methods if method not in UNAIDED)
    crossings = []
    for texts, (source, target) in itertools.product(wanted.texts, wanted.between):
        ends = spaces[source], spaces[target], texts
        cells = [(texts, paired, "")]
        for pairs in wanted.pairs:
            known = aided if pairs else others
            cells += [(pairs, tuple(m for m in known if m not in paired) if pairs == texts else known, "")]
        cells += [(0, tuple(m for m in others if m == "unpaired"), control) for control in wanted.controls]
        crossings += [Crossing(*ends, count, known, wanted.keys, control) for count, known, control in cells if known]
    targets = dict.fromkeys(target for _, target in wanted.between)
    others = [Space(target, wanted.library.others) for target in targets] if wanted.library.others else []
    return [*spaces.values(), *others, *crossings]


def pictures(wanted: Crossings, store):
    """Write tables and picture of all rows that are there."""
    from align_lab.crossing import crossing_page

    if rows := store.reread(TABLE):
        yield f"Table: {crossing_page.write(rows, store.results)}"


CROSSINGS = Experiment(Choices(), plan, pictures, (TABLE,))
