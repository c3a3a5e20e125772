"""The stages of a switch in a database: what is found and how fast, and what is left when it is killed."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from align import search
from align.maps import AffineMap
from align.search.documents import shares_found, unit
from align_lab.store import Store
from align_lab.switch import database
from align_lab.switch.database_asked import KILLED, MOVING, TABLE
from align_lab.switch.groups import OLD, TOP
from align_lab.switch.switch_plans import Moved
from align_lab.texts import vectors

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
BATCH = 100
TOLERANCE = 1e-4  # of a cosine in float32
ASKED = 5  # queries between two looks at the process, and after its end
LONGEST = 1.0  # seconds that a process lives after it has begun


class Known(NamedTuple):
    """What a table without faults would be made of.

    old, new: documents, `[n, d_old]` and `[n, d_new]`; of_map: cosines `[queries, n]` with mapped documents, of_new:
    with those embedded again; queries `[queries, d_new]`, sent `[queries, d_old + 1]`, old_queries `[queries, d_old]`:
    the same of the old encoder; wanted `[queries, 10]`.
    """

    fitted: AffineMap
    old: np.ndarray
    new: np.ndarray
    of_map: np.ndarray
    of_new: np.ndarray
    queries: np.ndarray
    sent: np.ndarray
    wanted: np.ndarray
    old_queries: np.ndarray


def rows(moved: Moved) -> list[dict]:
    """List the rows, without what is measured."""
    library = moved.old.library
    columns = {"table": TABLE, "dataset": vectors.name(library), "old": moved.old.encoder, "new": moved.new.encoder}
    columns |= {"documents": moved.documents, "queries": library.held_out, "anchors": moved.pairs}
    made = [{**columns, "method": OLD, "share": None, "kills": 0}]
    made += [{**columns, "method": MOVING, "share": share, "kills": 0} for share in SHARES]
    return made + ([{**columns, "method": KILLED, "share": None, "kills": moved.kills}] if moved.kills else [])


def origin(moved: Moved, store: Store) -> tuple[str, str, str]:
    """Give the table, the name of the texts in its rows, and what these are."""
    library = moved.old.library
    return TABLE, vectors.name(library), vectors.source(library, store)


def cost(moved: Moved, store: Store) -> float:
    """Estimate the seconds that two cores take for the rows that are not there yet."""
    missing = store.missing(rows(moved))
    return 4.0 * len(missing) + 10.0 * sum(row["kills"] for row in missing)


def work(moved: Moved, store: Store, advance: Callable[[float], None]) -> None:
    """Make the rows that are not there yet, in databases of their own that are left nowhere."""
    missing = store.missing(rows(moved))
    known = _known(moved, store)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        np.save(place / "new.npy", known.new)
        if stages := [row for row in missing if row["method"] != KILLED]:
            for row in _stages(stages, known, place / "stages"):
                store.add([row])
                advance(1 / len(missing))
        for row in missing:
            if row["method"] == KILLED:
                store.add([row | killed(known, place, row["kills"])])
                advance(1 / len(missing))


def _known(moved, store):
    old, new = (unit(vectors.of(space, store)) for space in (moved.old, moved.new))
    asked = len(old) - moved.old.library.held_out
    pairs = slice(moved.documents, moved.documents + moved.pairs)
    fitted = search.auto(old[pairs], new[pairs])
    documents, queries = slice(0, moved.documents), new[asked:]
    of_map = queries @ unit(np.asarray(fitted(old[documents]))).T
    of_new = queries @ new[documents].T
    wanted = np.argpartition(-of_new, TOP, axis=1)[:, :TOP]
    sent = np.asarray(fitted.queries(queries))
    return Known(fitted, old[documents], new[documents], of_map, of_new, queries, sent, wanted, old[asked:])


def _begun(folder, known):
    """Make the table as it was, and ready for the switch."""
    database.create(folder, known.old)
    database.prepare(folder, known.fitted, known.new.shape[1])


def _stages(missing, known, folder):
    """Give the rows at each share of documents that have moved."""
    _begun(folder, known)
    left = documents = len(known.old)
    ends = {row["share"]: round((1 - row["share"]) * documents) for row in missing if row["method"] != OLD}
    filling = database.fill(folder, lambda ids: known.new[ids], BATCH, ends.values())
    for row in missing:
        if row["method"] == OLD:
            table = database.snapshot(folder)
            found, seconds = _timed(lambda query, table=table: database.find_old(table, query), known.old_queries)
        else:
            while left > ends[row["share"]]:
                left = next(filling)
            answers, seconds = _answers(database.snapshot(folder), known, range(len(known.queries)))
            found = [ids for ids, _ in answers]
        yield row | _measured(found, seconds, known)


def _measured(found, seconds, known):
    recall = float(shares_found(np.array(found), known.wanted).mean())
    return {"recall": recall, "milliseconds": round(1000 * float(np.median(seconds)), 2)}


def _timed(find, queries):
    found, seconds = [], []
    for query in queries:
        began = time.perf_counter()
        found.append(find(query))
        seconds.append(time.perf_counter() - began)
    return found, seconds


def _answers(table, known, asked):
    return _timed(lambda query: database.find(table, known.queries[query], known.sent[query]), asked)


def killed(known: Known, place: Path, kills: int) -> dict:
    """Kill what fills the table, again and again, while queries go on; return what was lost and what was wrong.

    lost: documents that are missing, doubled or not what they were, over all looks; wrong: answers that a table without
    faults would not give, in which every document is searched by the one vector that it has in that version.
    """
    random = np.random.default_rng(0)
    told = {"finished": 0, "answers": 0, "wrong": 0, "lost": 0}
    seconds: list[float] = []
    begun, deaths, folder = False, 0, place / "killed"
    while deaths < kills or begun:
        if not begun:
            _begun(folder, known)
            begun = True
        dies = random.uniform(0, LONGEST) if deaths < kills else None
        deaths += _lived(folder, place / "new.npy", known, dies, random, told, seconds)
        told["lost"] += _lost(database.snapshot(folder), known)
        _ask(folder, known, random, told, seconds)
        if not database.snapshot(folder).count_rows("NOT moved"):
            begun = False
            told["finished"] += 1
    answers, _ = _answers(database.snapshot(folder), known, range(len(known.queries)))
    return _measured([ids for ids, _ in answers], seconds, known) | told


def _lived(folder, vectors_file, known, dies, random, told, seconds):
    """Let a process fill the table, and queries go on, until it is killed or done; return whether it was killed."""
    command = [sys.executable, "-m", "align_lab.switch.database_filling", str(folder), str(vectors_file), str(BATCH)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        end = time.monotonic() + (np.inf if dies is None else dies)
        while process.poll() is None and time.monotonic() < end:
            if dies is None or dies > LONGEST / 2:  # else nothing but the process is at work
                _ask(folder, known, random, told, seconds)
            else:
                time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    if process.returncode not in (0, -signal.SIGKILL):
        raise RuntimeError(f"what fills the table ended with {process.returncode}: {' '.join(command)}")
    return process.returncode == -signal.SIGKILL


def _ask(folder, known, random, told, seconds):
    """Ask some queries of one version, and count those whose answer is not that of this version."""
    table = database.snapshot(folder)
    moved = np.zeros(len(known.old), bool)
    moved[table.search().where("moved").select(["id"]).limit(len(moved)).to_arrow()["id"].to_numpy()] = True
    asked = random.integers(len(known.queries), size=ASKED)
    found, taken = _answers(table, known, asked)
    seconds += taken
    for query, (ids, scores) in zip(asked, found, strict=True):
        true = np.where(moved, known.of_new[query], known.of_map[query])
        best = np.sort(true)[: -TOP - 1 : -1]
        right = len(set(ids)) == TOP and np.allclose(scores, best, atol=TOLERANCE, rtol=0)
        told["answers"] += 1
        told["wrong"] += not (right and np.allclose(scores, true[ids], atol=TOLERANCE, rtol=0))


def _lost(table, known):
    """Count the documents that a version does not have once, with its old vector, and its new one where it moved."""
    rows = table.search().select(["id", "old", "moved"]).limit(2 * len(known.old)).to_arrow()
    ids = rows["id"].to_numpy()
    lost = len(set(range(len(known.old))) ^ set(ids)) + len(ids) - len(set(ids))
    lost += int((database.as_array(rows["old"]) != known.old[ids]).any(1).sum())
    moved = table.search().where("moved").select(["id", "new"]).limit(2 * len(known.old)).to_arrow()
    if len(moved):
        lost += int((database.as_array(moved["new"]) != known.new[moved["id"].to_numpy()]).any(1).sum())
    return lost + abs(len(moved) - table.count_rows("new IS NOT NULL"))
