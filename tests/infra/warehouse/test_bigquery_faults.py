"""BigQuery failing at 20 random points of an extraction: the parquet that is written is the same to the byte."""

import logging
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from infra.warehouse.bigquery import BigQueryWarehouse
from infra.warehouse.clients import BigQueryClients
from infra.warehouse.streams import Patience
from tests.fakes.bigquery import FakeBigQuery, bigquery_server
from tests.fakes.bigquery_faults import CUT, RATE_LIMIT, UNAVAILABLE
from tests.fakes.cut_line import Line, cut_line
from tests.infra.warehouse.conftest import PLACE
from tests.infra.warehouse.extract_process import digest_of, write
from tests.infra.warehouse.queries import asked

pytestmark = pytest.mark.slow
POINTS = 20
ROWS = 20_000
KINDS = ("cut in the middle", "503", "403 rate limit", "slow", "cut in the middle", "answer cut short")
EVENTS = {"503": UNAVAILABLE, "403 rate limit": RATE_LIMIT, "answer cut short": CUT}


@dataclass(frozen=True)
class Wired:
    """A server and the lines to it; the rows come by `rows`."""

    fake: FakeBigQuery
    rest: Line
    storage: Line
    rows: Line
    read: str

    def arm(self) -> None:
        """Forget all faults and counts."""
        self.fake.faults.at, self.fake.faults.events, self.fake.faults.slow = {}, 0, 0.0
        self.rest.arm()
        self.storage.arm()

    @property
    def received(self) -> int:
        return self.rest.received + self.storage.received

    def warehouse(self) -> BigQueryWarehouse:
        clients = BigQueryClients(PLACE, self.rest.endpoint, self.storage.endpoint)
        return BigQueryWarehouse(clients, 6.25, self.read, Patience(120))  # type: ignore[arg-type]


@pytest.fixture(params=["storage", "rest"])
def wired(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Wired]:
    dice, path = random.Random(1), tmp_path / "many.parquet"
    texts = ["".join(dice.choices("etaoin shrdlu", k=dice.randrange(120))) for _ in range(ROWS)]
    pq.write_table(pa.table({"id": range(ROWS), "text": texts, "label": [t[:2] for t in texts]}), path)
    with (
        bigquery_server({"many": path}) as fake,
        cut_line(fake.endpoint) as rest,
        cut_line(fake.storage_endpoint) as storage,
    ):
        yield Wired(fake, rest, storage, storage if request.param == "storage" else rest, request.param)


@pytest.mark.parametrize("order", ["ORDER BY id", pytest.param("", marks=pytest.mark.whole_runs)])
def test_a_failure_at_any_point_changes_no_byte_of_what_is_written(
    wired: Wired,
    order: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.WARNING)
    query = asked(f"SELECT text, label, id AS row FROM many {order}", key="k")
    write(
        query, wired.warehouse().stream(query), tmp_path / "first"
    )  # The job has run; what follows finds it.
    wired.arm()
    write(query, wired.warehouse().stream(query), tmp_path / "clean")
    clean, events, expected = wired.received, wired.fake.faults.events, digest_of(tmp_path / "clean")
    by_rows, dice, sent_again, said = wired.rows.received, random.Random(9), [], 0
    for number in range(POINTS):
        kind = KINDS[number % len(KINDS)]
        wired.arm()
        if kind == "slow":
            wired.fake.faults.slow = dice.random() / 50
        elif kind in EVENTS:
            wired.fake.faults.at = {dice.randint(1, events): EVENTS[kind]}
        else:
            wired.rows.arm(dice.randrange(by_rows * 9 // 10))
        output = tmp_path / str(number)
        caplog.clear()
        assert write(query, wired.warehouse().stream(query), output) == ROWS
        assert digest_of(output) == expected, f"{kind} at point {number}"
        assert not wired.fake.faults.at and not wired.rows.cuts, f"{kind} was met at point {number}"
        sent_again.append(max(0, wired.received - clean))
        said += "the network or BigQuery failed while rows were read" in caplog.text
    rows = [
        row
        for path in sorted((tmp_path / "clean").glob("rows-*"))
        for row in pq.read_table(path)["row"].to_pylist()
    ]
    assert sorted(rows) == list(range(ROWS)) and len(wired.fake.billed) == 1
    assert said >= POINTS // 4, "what broke while rows were read was said"
    with capsys.disabled():
        print(
            f"\n{wired.read} {order}: {POINTS} faults in {events} requests and messages; sent again"
            f" {sum(sent_again)} bytes of {POINTS * clean}"
        )
