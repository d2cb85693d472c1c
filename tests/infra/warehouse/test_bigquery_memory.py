"""A large result in constant memory, from the server's messages to parquet. Server and client have a process each."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.benchmarks.warehouse import write_table
from tests.fakes.bigquery_process import bigquery_process
from tests.fakes.object_stores import BUCKET, gcs_server
from tests.infra.warehouse.extract_process import finished, started

pytestmark = [pytest.mark.slow, pytest.mark.whole_runs]
ROWS = 200_000
MOST_MB, MOST_OVER_IMPORTS_MB = 400, 200
EXPORT = {
    "STILLHOUSE_BIGQUERY_EXPORT": f"gs://{BUCKET}/exports",
    "STILLHOUSE_BIGQUERY_EXPORT_OVER_GB": "0",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    path = tmp_path_factory.mktemp("big") / "big.parquet"
    write_table(path, ROWS)
    with gcs_server() as storage, pytest.MonkeyPatch.context() as patch:
        patch.setenv("STORAGE_EMULATOR_HOST", storage)  # of the server and of the clients
        with bigquery_process({"big": path}) as settings:
            yield settings


@pytest.mark.parametrize(
    ("way", "order", "more"),
    [
        ("storage", "ORDER BY id", {}),
        ("storage", "", {}),
        ("rest", "ORDER BY id", {}),
        ("storage", "", EXPORT),
    ],
    ids=["one stream", "four streams", "REST", "export"],
)
def test_200_000_rows_of_180_mb_stay_under_400_mb(
    server: dict[str, str],
    tmp_path: Path,
    way: str,
    order: str,
    more: dict[str, str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    sql = f"SELECT text, label, id AS row FROM big {order}"
    settings = {**server, "STILLHOUSE_BIGQUERY_READ": way, **more}
    found = finished(started(sql, settings, tmp_path, tmp_path / "rows"))
    files = [pq.read_metadata(path) for path in sorted((tmp_path / "rows").glob("rows-*.parquet"))]
    texts = sum(
        group.column(0).total_uncompressed_size
        for file in files
        for group in map(file.row_group, range(file.num_row_groups))
    )
    with capsys.disabled():
        print(
            f"\n{way} {order}: {found.before_mb:.0f} MB with all imports, {found.peak_mb:.0f} MB at the peak"
        )
    assert found.rows == sum(file.num_rows for file in files) == ROWS and texts > 180_000_000
    assert found.peak_mb < MOST_MB and found.peak_mb - found.before_mb < MOST_OVER_IMPORTS_MB
