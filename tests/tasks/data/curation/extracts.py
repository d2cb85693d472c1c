"""Extract artifacts made by the tests, and what curation makes of them."""

import gzip
import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tasks.data.curation.config import CurateConfig
from tasks.data.curation.curate import curate_rows
from tasks.formats.curation_report import CurationReport, Step, read_curation


def write_extract(folder: Path, **columns: Sequence[object]) -> Path:
    """An extract artifact with these columns; `row` counts from 1 unless given."""
    folder.mkdir(parents=True, exist_ok=True)
    columns.setdefault("row", range(1, len(columns["text"]) + 1))
    pq.write_table(
        pa.table({name: list(values) for name, values in columns.items()}), folder / "rows-00000.parquet"
    )
    record = {
        "query": "rows.sql",
        "sql": "SELECT text, label\nFROM `assistant.queries`",
        "dialect": "bigquery",
        "parameters": {"domains": ["banking"]},
        "columns": {},
        "rows": len(columns["text"]),
        "sources": [
            {
                "name": "queries",
                "title": "Queries",
                "licence": "cc-by-3.0",
                "attribution": "Queries by A. Author, CC BY 3.0.",
                "url": "https://example.org/queries",
            }
        ],
    }
    (folder / "extract.json").write_text(json.dumps(record))
    return folder


def sentences(labels: Iterable[str], each: int) -> tuple[list[str], list[str]]:
    """`each` unlike texts for every label."""
    rows = [(sentence(f"{name}{i}"), name) for name in labels for i in range(each)]
    return [text for text, _ in rows], [name for _, name in rows]


def sentence(seed: str) -> str:
    """A sentence of made-up words that is like no other one."""
    letters = hashlib.sha256(seed.encode()).hexdigest().translate(str.maketrans("0123456789", "ghijklmnop"))
    return " ".join(letters[i : i + 6] for i in range(0, 36, 6))


def curated(
    folder: Path, config: CurateConfig | None = None
) -> tuple[CurationReport, dict[str, list[dict[str, object]]]]:
    """Curate the extract in `folder / "extract"`: the report, and the rows of each split."""
    output = folder / "curated"
    curate_rows(config or CurateConfig(min_rows_per_label=1), folder / "extract", output)
    report = read_curation(output)
    splits = {
        split: [
            row
            for path in sorted((output / "data").glob(f"{split}-*"))
            for row in pq.read_table(path).to_pylist()
        ]
        for split in report.splits
    }
    return report, splits


def step(report: CurationReport, name: str) -> Step:
    """A step by name."""
    return next(step for step in report.steps if step.name == name)


def read_json_lines(path: Path) -> list[dict[str, str]]:
    """Rows of a gzipped JSON lines file."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]
