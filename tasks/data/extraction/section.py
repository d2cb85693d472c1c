"""What an extract has to show: the SQL as asked and as run, and whose data it read."""

from pathlib import Path

from tasks.formats.model_facts import read_json
from tasks.formats.section import Column, Listing, Section, Table

RECORD, PROVENANCE = "extract.json", "provenance.json"
SHORT = 12  # digits of a digest, enough to find it by
SOURCES = (
    Column(name="name", heading="table"),
    Column(name="digest", heading="sha256", code=True),
    Column(name="licence", heading="licence"),
    Column(name="attribution", heading="what its licence wants said"),
)


def extract_section(folder: Path) -> Section:
    """`provenance.json`, which lies beside the artifact, says how the rows were come by; it may be missing."""
    record = read_json(folder / RECORD)
    path = folder / PROVENANCE
    provenance = read_json(path) if path.is_file() else {}
    tables = provenance.get("sources") or record["sources"]
    sources = tuple({column.name: table.get(column.name) for column in SOURCES}
                    | {"digest": table.get("digest", "")[:SHORT]} for table in tables)  # fmt: skip
    asked, run = record["sql"].strip(), (provenance.get("sql_executed") or "").strip()
    listings = [Listing(title=f"SQL ({record['dialect']})", text=asked, folded=True)]
    if run and run != asked:
        listings.append(Listing(title="as it was run", text=run, folded=True))
    return Section(
        title="Rows",
        lines=(f"{record['rows']:,} rows of {len(sources)} table{'s' if len(sources) != 1 else ''}.",),
        notes=tuple(provenance.get("notes", ())),
        tables=(Table(columns=SOURCES, rows=sources),) if sources else (),
        listings=tuple(listings),
    )
