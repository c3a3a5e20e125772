"""The store: where data, networks, codes and rows are kept, and what is there already."""

import functools
import json
import operator
import platform
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from align import data, rows
from align.data import STANDARDISATION

if TYPE_CHECKING:
    from align.data.pixels import Numbers

# The codes of all networks of the paper, and what relative representations make of them: half a gigabyte.
REMEMBERED = 24


class Store:
    """The folders of a run. Data and rows are read once; what is computed from networks is remembered.

    pixels: mean and standard deviation by which images are standardised, where they are not to be found. experiment:
    the name of the script, for the times of its tasks; asked: what it was asked for, as a digest.
    """

    def __init__(
        self,
        workdir: Path,
        results: Path | None = None,
        data_dir: str | None = None,
        pixels: "tuple[Numbers, Numbers]" = (None, None),
        experiment: str = "",
    ):
        self.workdir, self.results, self.data_dir, self.pixels = (
            workdir,
            results or workdir / "results",
            data_dir,
            pixels,
        )
        self.experiment, self.asked = experiment, ""
        self.networks = workdir / "networks"
        self.embeddings = workdir / "embeddings"
        self.shown: dict[Hashable, Any] = {}  # fitted maps that pictures are made with
        self.recognised: set[Hashable] = set()  # networks that tables have no other rows of
        self._data: dict[str, data.Dataset] = {}
        self._published: dict[str, str] = {}
        self._sources: dict[str, str] = {}
        self._rows: dict[int | str, list[dict]] = {}
        self._identities: dict[int | str, set[tuple]] = {}
        self._made: OrderedDict[Hashable, Any] = OrderedDict()

    def data(self, name: str) -> "data.Dataset":
        """Give a dataset by name; where nobody has it whole, it is the sample, and says so by its own name."""
        if name not in self._data:
            mean, std = self.pixels
            found = data.load(name, self.data_dir, mean=mean, std=std)
            self._data[name] = self._data.setdefault(found.name, found)
            if name in STANDARDISATION:
                self._published[found.name] = found.name.partition("-")[0]
        return self._data[name]

    def published(self, name: str) -> str:
        """Give the published name that a dataset was loaded by, however it is standardised, or its own."""
        return self._published.get(name, name)

    def come_from(self, table: int | str, dataset: str, source: str) -> None:
        """Record what the name of a dataset stands for; ValueError where a table has rows by that name of other things.

        Of what is made of several, "a; b", some rows may be of the first alone.
        """
        there = {row.get("data_source", source) for row in self.rows(table) if row["dataset"] == dataset}
        parts = source.split("; ")
        if others := {one for one in there if any(map(operator.ne, one.split("; "), parts))}:
            raise ValueError(
                f"{self.file(table)} has rows by the name {dataset} of {', '.join(sorted(others))}; these are of "
                f"{source}: name another folder by --results"
            )
        self._sources[dataset] = source

    def picture(self, name: str) -> Path:
        """Give the file of a picture."""
        return self.results / "pictures" / f"{name}.png"

    def file(self, table: int | str) -> Path:
        """Give the file of the rows of one of the paper's tables, by its number, or of one of ours, by its name."""
        return self.results / "rows" / (f"table{table}.jsonl" if isinstance(table, int) else f"{table}.jsonl")

    def rows(self, table: int | str) -> list[dict]:
        """Give the rows of a table: those that were there when it was first asked for, and those added since."""
        if table not in self._rows:
            self._rows[table] = rows.read(self.file(table))
            self._identities[table] = {rows.identity(row) for row in self._rows[table]}
        return self._rows[table]

    def reread(self, table: int | str) -> list[dict]:
        """Give the rows of a table as its file has them now, with what other processes have added since."""
        return rows.read(self.file(table))

    def missing(self, wanted: Sequence[dict]) -> list[dict]:
        """Give those of the wanted rows, all of one table and without their measures, that are not there."""
        for table in {row["table"] for row in wanted}:
            self.rows(table)
        unique = {rows.identity(row): row for row in wanted}
        return [row for identity, row in unique.items() if identity not in self._identities[row["table"]]]

    def among(self, table: int | str, wanted: Sequence[dict]) -> list[dict]:
        """Give the rows of a table that are among those wanted, in the order in which they were made."""
        identities = {rows.identity(row) for row in wanted}
        return [row for row in self.rows(table) if rows.identity(row) in identities]

    def add(self, made: Sequence[dict]) -> None:
        """Append rows, all of one table, with where they came from."""
        (table,) = {row["table"] for row in made}
        whole = [{**row, **self._provenance(row["dataset"])} for row in made]
        there = self.rows(table)
        rows.append(self.file(table), whole)
        there.extend(whole)
        self._identities[table] |= {rows.identity(row) for row in whole}

    def log_time(self, name: str, seconds: float) -> None:
        """Append how long a task took to timings.jsonl, which the report sums by stage."""
        line = {"experiment": self.experiment, "task": name, "seconds": round(seconds, 2), "asked": self.asked}
        rows.append_lines(self.file("timings"), [line])

    def remember(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """Give what was made under a key before, or make it: codes are encoded once, and serve many maps."""
        if key not in self._made:
            self._made[key] = make()
            while len(self._made) > REMEMBERED:
                self._made.popitem(last=False)
        self._made.move_to_end(key)
        return self._made[key]

    def _provenance(self, dataset):
        known = {name: found.source for name, found in self._data.items()} | self._sources
        source = {"data_source": known[dataset]} if dataset in known else {}
        return {**source, **circumstances()}


def times_of_the_paper(results: Path) -> list[dict]:
    """Give what the tasks of paper.py took, as logged among results, of the runs that were asked for what the last was.

    RowError names the line that is no task with its seconds.
    """
    path, found = results / "rows" / "timings.jsonl", []
    for number, line in enumerate(rows.whole_lines(path), start=1):
        try:
            one = json.loads(line)
            if one.get("experiment", "paper") == "paper":
                found.append({**one, "task": str(one["task"]), "seconds": float(one["seconds"])})
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise rows.RowError(f"{path}, line {number} is no time of a task: {error!r}") from error
    last = found[-1].get("asked") if found else None
    return [one for one in found if last is None or one.get("asked", last) == last]  # older lines do not say


@functools.cache
def circumstances() -> dict[str, Any]:
    """Say what all rows of a process are made with: device, versions and revision."""
    import jax

    return {
        "device": f"{jax.local_device_count()} x {jax.devices()[0].device_kind}",
        "versions": {name: version(name) for name in ("jax", "flax", "optax")} | {"python": platform.python_version()},
        "revision": rows.revision(Path(__file__).parent),
    }
