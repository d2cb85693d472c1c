"""Secrets and addresses outside of texts: as labels they are refused, and nothing that is told or published has one."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from infra.errors import DataError
from tasks.data.curation.code.curate import curate_files
from tasks.data.curation.config import CurateCodeConfig, CurateConfig
from tasks.data.curation.curate import curate_rows
from tasks.data.publishing.config import PublishDatasetConfig
from tasks.data.publishing.publish import assemble
from tests.tasks.data.curation.code.sources import repository, source, write_code
from tests.tasks.data.curation.extracts import sentences, write_extract

TOKEN = "ghp_" + "a1B2c3D4e5F6a1B2c3D4e5F6a1B2c3D4e5F6"
ADDRESS = "canary.person@victim.example"
# Before there was a refusal, nothing had to be allowed.
ALLOWED = CurateConfig.model_validate(
    {"allow_secret_labels": True} if "allow_secret_labels" in CurateConfig.model_fields else {}
)


def tickets(folder: Path, *more: tuple[str, str]) -> Path:
    """40 tickets in two queues, and these (text, label) after them."""
    texts, labels = sentences(["billing", "shipping"], each=20)
    texts, labels = [*texts, *(text for text, _ in more)], [*labels, *(label for _, label in more)]
    return write_extract(folder / "extract", text=texts, label=labels)


def assigned(number: int = 20) -> list[tuple[str, str]]:
    """Tickets whose queue is a person."""
    texts, labels = sentences([f"owner {ADDRESS}"], each=number)
    return list(zip(texts, labels, strict=True))


def told(folder: Path) -> str:
    """Everything that is said of rows and labels: reports and cards, not the rows and their classes."""
    names = ("curation.json", "README.md")
    return "\n".join(path.read_text() for path in sorted(folder.rglob("*")) if path.name in names)


@pytest.mark.parametrize(
    "secret",
    [TOKEN, ADDRESS, "https://bob:hunter2@example.org", f"A\u200b{ADDRESS}"],
    ids=["token", "address", "password", "address with what nobody sees"],
)
def test_a_label_that_holds_a_secret_is_refused_and_not_shown(secret: str, tmp_path: Path) -> None:
    extract = tickets(
        tmp_path, *(("one ticket more", f"Owner {secret}"), ("and another one", f"owner  {secret}"))
    )
    with pytest.raises(DataError, match=r"2 labels \(2 rows\) hold a secret.*<(SECRET|EMAIL)>") as refused:
        curate_rows(CurateConfig(), extract, tmp_path / "curated")
    assert not any(part in str(refused.value) for part in ("ghp_", "canary", "hunter2"))
    assert "--dataset.allow-secret-labels true" in str(refused.value)


def test_refusing_labels_does_not_depend_on_redacting_texts(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"1 labels \(20 rows\)"):
        curate_rows(CurateConfig(redact=False), tickets(tmp_path, *assigned()), tmp_path / "curated")


def test_a_token_as_label_of_a_row_without_text_stands_nowhere(tmp_path: Path) -> None:
    curate_rows(CurateConfig(), tickets(tmp_path, ("", TOKEN), (" ", ADDRESS)), tmp_path / "curated")
    assert TOKEN not in told(tmp_path / "curated") and ADDRESS not in told(tmp_path / "curated")


def test_what_is_told_of_allowed_labels_is_redacted(tmp_path: Path) -> None:
    spellings = [("other words", f"OWNER {ADDRESS}"), ("some words of mine", f"rare {TOKEN}"), ("", TOKEN)]
    extract = tickets(tmp_path, *assigned(), *spellings, assigned()[0])
    curate_rows(ALLOWED, extract, tmp_path / "curated")
    folder = assemble(PublishDatasetConfig(), tmp_path / "curated", extract, tmp_path / "published")
    assert TOKEN not in told(tmp_path / "curated") and ADDRESS not in told(tmp_path / "curated")
    text = (folder / "README.md").read_text().split("---\n", 2)[2]
    assert TOKEN not in text and ADDRESS not in text.lower()


def test_a_query_is_published_without_its_secrets(tmp_path: Path) -> None:
    extract = tickets(tmp_path)
    record = json.loads((extract / "extract.json").read_text())
    record |= {"sql": f"SELECT text, label FROM t -- {TOKEN}\nWHERE owner != '{ADDRESS}'"}
    record |= {"parameters": {"owners": ["bob", ADDRESS], "token": TOKEN, "share": 3}}
    record["sources"][0] |= {"name": f"export of {ADDRESS}.csv", "url": f"https://bob:{TOKEN}@example.org/"}
    (extract / "extract.json").write_text(json.dumps(record))
    curate_rows(CurateConfig(), extract, tmp_path / "curated")
    folder = assemble(PublishDatasetConfig(), tmp_path / "curated", extract, tmp_path / "published")
    card = (folder / "README.md").read_text()
    assert TOKEN not in card and ADDRESS not in card
    assert "WHERE owner != '<EMAIL>'" in card and "bob" in card and "= 3" in card


def test_where_code_is_from_is_published_without_secrets(tmp_path: Path) -> None:
    files = [*repository("one", 8), *repository("two", 2), *repository(f"of {ADDRESS}", 2)]
    files += [
        (source("token"), "one", f"one/{TOKEN}.py", "mit"),
        (source("mail"), "one", "one/m.py", f"by {ADDRESS}"),
    ]
    files += [(source("token"), "two", f"two/{TOKEN}.py", "mit")]
    curate_files(CurateCodeConfig(), write_code(tmp_path / "extract", files), tmp_path / "curated")
    folder = assemble(
        PublishDatasetConfig(), tmp_path / "curated", tmp_path / "extract", tmp_path / "published"
    )
    rows = [str(row) for path in folder.rglob("*.parquet") for row in pq.read_table(path).to_pylist()]
    written = "\n".join([*rows, told(tmp_path), (folder / "corpus.json").read_text()])
    assert len(rows) == 14 and TOKEN not in written and ADDRESS not in written


@pytest.mark.slow
@pytest.mark.usefixtures("prefect_server", "tracked_home")
def test_a_table_with_addresses_as_labels_ends_with_exit_code_2(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from flows.configs.data import COMMAND

    texts, labels = sentences(["billing", "shipping"], each=20)
    rows = [*zip(texts, labels, strict=True), *assigned(), ("", TOKEN)]
    (tmp_path / "tickets.csv").write_text("\n".join(["text,label", *(",".join(row) for row in rows)]) + "\n")
    assert COMMAND.main(["--extract.table", str(tmp_path / "tickets.csv")]) == 2
    said = capfd.readouterr().err
    assert "1 labels (20 rows)" in " ".join(said.split()) and ADDRESS not in said and TOKEN not in said
