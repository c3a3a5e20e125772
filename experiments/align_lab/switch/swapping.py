"""The swap of an encoder among vectors that are there: what is asked by flags, and its plan."""

import dataclasses
import itertools

from absl import flags

from align.arrays.paths import expanded
from align_lab.asked import check_names, integers, not_installed
from align_lab.switch.groups import GROUPS, NEEDS, TABLE, TOP
from align_lab.switch.switch_plans import Swap
from align_lab.texts.text_plans import Library, Space

WITH_VECTORS = ("between", "groups")  # flags that say nothing without a file of vectors
_ANCHORS = (20, 50, 100, 300, 1000, 3000, 10_000)
_DOCUMENTS, _QUERIES = 10_000, 1000
_CLOUD = 2  # the fewest rows of a cloud


@dataclasses.dataclass(frozen=True)
class Swaps:
    """What is compared: ordered pairs of encoders, groups of methods, numbers of pairs, and seeds."""

    library: Library
    between: tuple[tuple[str, str], ...]
    documents: int
    groups: tuple[str, ...]
    anchors: tuple[int, ...]
    seeds: tuple[int, ...]
    left_out: tuple[str, ...] = ()

    def described(self, store) -> list[str]:
        """Say on what texts, and what will be computed, a text for each."""
        between = ", ".join(f"{old} → {new}" for old, new in self.between)
        lacking = [f"left out, as it is not installed: {name} (pip install {name})" for name in self.left_out]
        return [
            f"data: {self.documents:,} documents and {self.library.held_out:,} queries of {self.library.file}",
            f"to compute: {between}; {', '.join(self.groups)}; {', '.join(map(str, self.anchors))} anchors; "
            f"{len(self.seeds)} seeds",
            *lacking,
        ]

    def kept(self, store) -> str:
        """Say where what takes long to make is kept."""
        return f"vectors: {self.library.file}"


def define_flags() -> None:
    """Define the flags of a swap."""
    vectors = "An .npz file with an array [texts, d] for each encoder, in place of --pairs; 'sample' is shipped."
    flags.DEFINE_string("vectors", "", vectors)
    flags.DEFINE_list("between", None, "With --vectors: old:new, such as minilm_l6:mpnet; all ordered pairs.")
    flags.DEFINE_list("groups", list(GROUPS), "With --vectors: groups of methods to compare.")


def read(given: flags.FlagValues, store) -> Swaps:
    """Read the flags; ValueError names the one whose value makes no sense."""
    from align_lab.texts import vectors

    check_names("groups", given.groups, tuple(GROUPS))
    file = given.vectors if given.vectors == vectors.SAMPLE else expanded(given.vectors)
    queries = given.queries if given["queries"].present else _QUERIES  # of their own, unless given
    library = Library(file, "", 0, queries)
    arrays = vectors.ready(library, store)
    rest = len(next(iter(arrays.values()))) - queries
    cloud = _CLOUD if {"unpaired", "clouds"} & set(given.groups) else 0  # beside the index, by the new encoder
    documents = given.documents if given["documents"].present else min(_DOCUMENTS, rest // (2 if cloud else 1))
    anchors = (
        integers("anchors", given)
        if given["anchors"].present
        else tuple(count for count in _ANCHORS if count <= documents)
    )
    if queries <= TOP or not max((20, *anchors)) <= documents <= rest - cloud:
        raise ValueError(
            f"--documents={documents}, --queries={queries}, --anchors={','.join(map(str, anchors))}: expected more "
            f"than {TOP} queries, and anchors <= documents <= {rest - cloud:,} texts of --vectors without the queries"
            f"{f', and {cloud} for a cloud' if cloud else ''}"
        )
    least = 3 if {"auto", "clouds"} & set(given.groups) else 2 if {"families", "peers"} & set(given.groups) else 1
    if min(anchors, default=least) < least:
        raise ValueError(f"--anchors must be {least} or more for these --groups; the least is {min(anchors)}")
    pairs = [tuple(text.split(":")) for text in given.between or ()] or list(itertools.permutations(arrays, 2))
    if wrong := [pair for pair in pairs if len(pair) != 2 or not set(pair) <= set(arrays) or pair[0] == pair[1]]:
        known = ", ".join(arrays)
        raise ValueError(f"--between must be old:new of {known}; one of them is {':'.join(wrong[0])!r}")
    groups = tuple(name for name in GROUPS if name in given.groups)
    left_out = not_installed(NEEDS) if "peers" in groups else ()
    seeds = tuple(range(given.seeds))
    return Swaps(library, tuple(dict.fromkeys(pairs)), documents, groups, anchors, seeds, left_out)


def plan(wanted: Swaps, store) -> list[Swap]:
    """Plan the swaps, group by group of methods: what is quick is done for all pairs of encoders first."""
    return [
        Swap(
            *(Space(name, wanted.library) for name in pair),
            wanted.documents,
            tuple(method for method in GROUPS[group] if method not in wanted.left_out),
            wanted.anchors,
            wanted.seeds,
        )
        for group, pair in itertools.product(wanted.groups, wanted.between)
    ]


def pictures(wanted: Swaps, store):
    """Write the table and the picture of the rows that are there."""
    from align_lab.switch import swap_page

    if rows := store.reread(TABLE):
        yield f"Table: {swap_page.write(rows, store.results)}"
