"""Whole runs of `flows.data` on two machines, one of the clouds failing at a random point: the end is always the same."""

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.reporting.data_summary import DataSummary
from tests.fakes.object_stores import BUCKET
from tests.flows.clouds import (
    HUB_TOKEN,
    Clouds,
    Runs,
    clouds,
    digests,
    half_made,
    published_here,
    published_there,
)
from tests.flows.server_faults import Breakable, Hub, ObjectStore, Warehouse
from tests.tasks.data.curation.extracts import sentence

pytestmark = [
    pytest.mark.slow,
    pytest.mark.whole_runs,
    pytest.mark.timeout(1800),
    pytest.mark.usefixtures("prefect_server"),
]
POINTS, ROWS = 20, 1_500  # rows: three messages of a stream
NAME = "local/requests"
REFUSED = re.compile(r"^(Warehouse|Config|Store|Hub)Error: ", re.MULTILINE)
NOT_SHARED = "is not in the shared store"


@dataclass(frozen=True)
class Asked:
    """A command line over a table, whole runs of it being cheap."""

    arguments: tuple[str, ...]
    tables: dict[str, Path]


@pytest.fixture
def asked(tmp_path: Path) -> Asked:
    labels = ("bill", "card", "loan")
    rows = {
        "id": range(ROWS),
        "text": [sentence(str(i)) for i in range(ROWS)],
        "label": [labels[i % 3] for i in range(ROWS)],
    }
    pq.write_table(pa.table(rows), tmp_path / "requests.parquet")
    (tmp_path / "requests.sql").write_text("SELECT text, label, id AS row FROM requests ORDER BY id")
    arguments = ("--extract.query", str(tmp_path / "requests.sql"), "--extract.table", str(tmp_path / "requests.parquet"),
                 "--publish.name", NAME)  # fmt: skip
    return Asked(arguments, {"requests": tmp_path / "requests.parquet"})


@pytest.fixture
def there(asked: Asked) -> Iterator[Clouds]:
    with clouds("s3", asked.tables) as made:
        yield made


@dataclass(frozen=True)
class Attempt:
    """A run, and the run after it where it said that it did not do everything."""

    summary: DataSummary
    passed: int
    events: int
    met: bool
    repeated: bool


@dataclass
class Drill:
    """Two machines, one after the other, on clouds on which nothing was run yet; one of the clouds fails once."""

    runs: Runs
    asked: Asked
    there: Clouds
    kind: Callable[[Clouds], Breakable]
    capfd: pytest.CaptureFixture[str]
    number: int = 0

    def both(self, at: int | None = None, first: int = 0) -> tuple[Attempt, Attempt]:
        """Run on both with a fault at an event of either: the second's are counted on from `first`, those of the first."""
        self.number += 1
        self.there.hub.repos.clear()
        self.there.warehouse.jobs.clear()
        self.there.warehouse.billed.clear()
        self.there.warehouse.tables.results.clear()
        here = replace(self.there, place=f"s3://{BUCKET}/{uuid4().hex}")
        self.runs.use(f"one{self.number}", **here.settings)
        one = self.attempt(self.kind(here), at)
        self.runs.use(f"two{self.number}", **here.settings)
        return one, self.attempt(self.kind(here), at - first if at is not None and at >= first else None)

    def attempt(self, server: Breakable, at: int | None) -> Attempt:
        """Run with a fault, and again without where it was refused. Nothing that is half made is ever to be seen."""
        server.arm(at, self.number)
        code = self.runs.run(*self.asked.arguments)
        passed, events, met = server.passed, server.events, server.met
        printed = "\n".join(self.capfd.readouterr())
        assert "Traceback" not in printed and HUB_TOKEN not in printed
        assert code == 0 or (code == 2 and REFUSED.search(printed)), printed
        repeated = code != 0 or NOT_SHARED in printed
        server.arm(None)
        assert half_made() == []
        for repo in server.clouds.hub.repos.values():
            whole = [{"README.md", "dataset.json"} < set(commit.files) for commit in repo.commits.values()]
            assert all(whole[1:]), "a commit has all files; the first is the Hub's own"
        server.arm(None)
        if repeated:
            self.runs.done(*self.asked.arguments)
        summary = DataSummary.model_validate_json(self.runs.report.read_bytes())
        return Attempt(summary, passed + server.passed, events, met, repeated)


@pytest.mark.parametrize("kind", [Warehouse, ObjectStore, Hub], ids=["warehouse", "store", "hub"])
def test_a_fault_at_any_point_of_a_run_changes_no_digest(
    asked: Asked,
    there: Clouds,
    runs: Runs,
    capfd: pytest.CaptureFixture[str],
    kind: Callable[[Clouds], Breakable],
) -> None:
    home = runs.use("embedded")
    embedded = runs.done(*asked.arguments)
    expected, files = digests(embedded), published_here(embedded)
    (rows,) = home.glob("artifacts/extract/*/rows-*")
    assert pq.read_table(rows)["row"].to_pylist() == list(range(ROWS))
    largest = max(path.stat().st_size for path in home.glob("artifacts/**/*.parquet"))

    drill, dice, again = Drill(runs, asked, there, kind, capfd), random.Random(9), []
    first, second = clean = drill.both()
    whole, met, repeated = first.passed + second.passed, 0, 0
    for at in [dice.randrange(first.events + second.events) for _ in range(POINTS)]:
        one, two = drill.both(at, first.events)
        assert digests(one.summary) == digests(two.summary) == expected
        assert one.summary.dataset == two.summary.dataset
        assert published_there(there.repo(NAME)) == files
        assert len(there.repo(NAME).log("main")) == 2, "one commit of ours, and one only"
        assert len(there.warehouse.billed) == 1, "rows are paid once"
        again.append(max(one.passed + two.passed - whole, 0))
        met += one.met or two.met
        repeated += one.repeated or two.repeated
    with capfd.disabled():
        print(
            f"\n{kind.__name__}: {met} faults in {' and '.join(str(run.events) for run in clean)} events, {repeated} of them "
            f"mended by the next run; {sum(again):,} bytes sent again, at most {max(again):,} for a fault, of {whole:,} in all"
        )
    assert met >= POINTS * 3 // 4, "the others lay behind the last event of a run that had fewer"
    assert max(again) <= (whole if kind is Warehouse else largest + 50_000)
