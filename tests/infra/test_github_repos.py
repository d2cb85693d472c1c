"""`github_repos` made of installed distributions: columns, identity, what is left out, and the public query over it."""

import hashlib
import importlib.metadata
import logging
from email.message import Message
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from infra.errors import ConfigError
from infra.warehouse.embedded import DuckDBWarehouse
from infra.warehouse.github_repos import LARGEST, build_tables, tables_folder
from infra.warehouse.installed import installed_digest, installed_distributions
from infra.warehouse.licences import license_key
from infra.warehouse.protocol import Query
from infra.warehouse.public_data import public_data
from tests.infra.distributions import install

Row = dict[str, object]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "site"
    install(
        folder, "alpha", {"alpha/a.py": "x = 1\n", "alpha/b.py": "y = 2\n", "alpha/logo.png": b"\x89PNG\0"}
    )
    install(
        folder, "Beta", {"beta/a.py": "x = 1\n", "beta/data.txt": "z" * (LARGEST + 1)}, license="BSD-3-Clause"
    )
    return folder


def tables(site: Path, root: Path) -> dict[str, list[Row]]:
    folder = build_tables(root, installed_distributions([str(site)]))
    return {
        name: pq.read_table(folder / f"{name}.parquet").to_pylist()
        for name in ("files", "contents", "licenses")
    }


def blob(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def test_the_tables_have_the_public_columns_and_gits_ids(site: Path, tmp_path: Path) -> None:
    made = tables(site, tmp_path)
    assert [(row["repo_name"], row["path"]) for row in made["files"]] == [
        ("alpha", "alpha/a.py"), ("alpha", "alpha/b.py"), ("alpha", "alpha/logo.png"),
        ("Beta", "beta/a.py"), ("Beta", "beta/data.txt"),
    ]  # fmt: skip
    same = blob(b"x = 1\n")
    assert made["files"][0] == {
        "repo_name": "alpha", "ref": "refs/tags/1.0", "path": "alpha/a.py", "mode": 0o100644, "id": same,
        "symlink_target": None,
    }  # fmt: skip
    contents = {row["id"]: row for row in made["contents"]}
    assert len(contents) == len(made["contents"]) == 4
    assert contents[same] == {"id": same, "size": 6, "content": "x = 1\n", "binary": False, "copies": 2}
    assert contents[blob(b"\x89PNG\0")]["binary"] is True
    assert contents[blob(b"\x89PNG\0")]["content"] is None
    large = contents[blob(b"z" * (LARGEST + 1))]
    assert (large["binary"], large["content"], large["size"]) == (False, None, LARGEST + 1)
    assert made["licenses"] == [
        {"repo_name": "alpha", "license": "mit"},
        {"repo_name": "Beta", "license": "bsd-3-clause"},
    ]


def test_tables_are_made_once_and_the_same_anywhere(site: Path, tmp_path: Path) -> None:
    installed = installed_distributions([str(site)])
    first = build_tables(tmp_path / "one", installed)
    inode = (first / "contents.parquet").stat().st_ino
    assert build_tables(tmp_path / "one", installed) == first
    assert (first / "contents.parquet").stat().st_ino == inode
    other = build_tables(tmp_path / "two", installed)
    for name in ("files", "contents", "licenses"):
        assert (first / f"{name}.parquet").read_bytes() == (other / f"{name}.parquet").read_bytes()
    assert [path.name for path in first.parent.iterdir() if path.is_dir()] == [first.name], (
        "nothing partial is left"
    )


@pytest.mark.parametrize("change", ["content", "version", "license", "another"])
def test_another_set_of_distributions_has_another_digest(site: Path, tmp_path: Path, change: str) -> None:
    before = installed_digest(installed_distributions([str(site)]))
    other = tmp_path / "other"
    install(
        other, "alpha", {"alpha/a.py": "x = 1\n", "alpha/b.py": "y = 2\n", "alpha/logo.png": b"\x89PNG\0"}
    )
    beta = {"beta/a.py": "x = 1\n", "beta/data.txt": "z" * (LARGEST + 1)}
    version, license = "1.0", "BSD-3-Clause"
    if change == "content":
        beta["beta/a.py"] = "x = 2\n"
    elif change == "version":
        version = "1.1"
    elif change == "license":
        license = "ISC"
    else:
        install(other, "gamma", {"gamma.py": ""})
    install(other, "Beta", beta, version, license)
    assert installed_digest(installed_distributions([str(other)])) != before


def test_what_the_installer_wrote_does_not_count(site: Path, tmp_path: Path) -> None:
    before = installed_distributions([str(site)])
    record = site / "alpha-1.0.dist-info" / "RECORD"
    lines = ["../../bin/alpha,sha256=AAAA,9", "alpha/__pycache__/a.cpython-311.pyc,,", "/etc/passwd,sha256=AAAA,9",
             "alpha-1.0.dist-info/INSTALLER,sha256=AAAA,4", "alpha-1.0.dist-info/direct_url.json,sha256=AAAA,9"]  # fmt: skip
    record.write_text(record.read_text() + "\n".join(lines) + "\n")
    assert installed_distributions([str(site)]) == before


def test_the_first_of_two_distributions_with_one_name_counts(site: Path, tmp_path: Path) -> None:
    install(tmp_path / "second", "ALPHA", {"alpha/a.py": "x = 3\n"}, version="2.0")
    (alpha, _) = installed_distributions([str(site), str(tmp_path / "second")])
    assert (alpha.name, alpha.version) == ("alpha", "1.0")


def test_a_file_that_is_not_as_recorded_is_left_out_and_said(
    site: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (site / "alpha" / "a.py").write_text("x = 'changed by hand'\n")
    (site / "alpha" / "b.py").unlink()
    with caplog.at_level(logging.WARNING):
        made = tables(site, tmp_path)
    assert [row["path"] for row in made["files"]] == ["alpha/logo.png", "beta/a.py", "beta/data.txt"]
    assert "2 installed files are missing or not as their RECORD says" in caplog.text


def test_a_build_that_was_killed_is_made_anew(site: Path, tmp_path: Path) -> None:
    installed = installed_distributions([str(site)])
    folder = tables_folder(tmp_path, installed)
    partial = folder.with_name(f".{folder.name}.partial")
    partial.mkdir(parents=True)
    (partial / "files.parquet").write_bytes(b"half")
    assert pq.read_metadata(build_tables(tmp_path, installed) / "files.parquet").num_rows == 5
    assert not partial.exists()


def test_text_that_is_not_utf8_is_binary(tmp_path: Path) -> None:
    long = "é" * (LARGEST // 2)  # A piece of it ends within a character.
    install(tmp_path / "site", "codes", {"latin.py": "é".encode("latin-1"), "long.txt": f"a{long}"})
    made = tables(tmp_path / "site", tmp_path)
    assert sorted((row["size"], row["binary"]) for row in made["contents"]) == [
        (1, True),
        (LARGEST + 1, False),
    ]


def test_the_public_names_are_found_in_a_query(site: Path, tmp_path: Path) -> None:
    sql = """
        SELECT f.path FROM `bigquery-public-data.github_repos.files` AS f
        JOIN `bigquery-public-data`.github_repos.licenses AS l ON l.repo_name = f.repo_name
        WHERE l.license = @license ORDER BY f.path
    """
    found = public_data(sql, tmp_path, [str(site)])
    assert found is not None and not found.made
    assert found.describe() == "bigquery-public-data.github_repos of 2 installed distributions, 5 files"
    folder = found.folder()
    assert found.made
    warehouse = DuckDBWarehouse({path.stem: path for path in folder.glob("*.parquet")})
    query = Query(sql, 10**9, {"license": "bsd-3-clause"})
    assert [row["path"] for batch in warehouse.stream(query) for row in batch.to_pylist()] == [
        "beta/a.py",
        "beta/data.txt",
    ]


def test_other_queries_name_no_public_data(tmp_path: Path) -> None:
    assert public_data("SELECT text FROM `project.data_set.files`", tmp_path, []) is None
    assert public_data("SELEC text FROM", tmp_path, []) is None
    with pytest.raises(
        ConfigError, match=r"bigquery-public-data\.samples.*only has bigquery-public-data\.github_repos"
    ):
        public_data("SELECT * FROM `bigquery-public-data.samples.shakespeare`", tmp_path, [])


@pytest.mark.parametrize(
    ("given", "key"),
    [
        ({"License-Expression": "Apache-2.0"}, "apache-2.0"),
        ({"License-Expression": "MIT OR Apache-2.0"}, "mit"),
        ({"License-Expression": "BSD-3-Clause AND MIT"}, "bsd-3-clause and mit"),
        ({"License": "MIT License"}, "mit"),
        ({"License": "The MIT License (MIT)\n\nCopyright (c) 2014 A. Author"}, "mit"),
        ({"License": "Apache License, Version 2.0"}, "apache-2.0"),
        ({"License": "3-Clause BSD License"}, "bsd-3-clause"),
        ({"License": "BSD 2-Clause License"}, "bsd-2-clause"),
        ({"License": "BSD", "Classifier": "License :: OSI Approved :: BSD License"}, "unknown"),
        ({"Classifier": "License :: OSI Approved :: Apache Software License"}, "apache-2.0"),
        ({"License": "Copyright (c) A. Author. All rights reserved."}, "unknown"),
        ({"License": "UNKNOWN", "Classifier": "License :: OSI Approved :: MIT License"}, "mit"),
        ({}, "unknown"),
    ],
)
def test_a_licence_has_its_key_and_is_never_guessed(given: dict[str, str], key: str) -> None:
    metadata = Message()
    for name, value in given.items():
        metadata[name] = value
    assert license_key(metadata) == key


def test_two_licences_among_the_classifiers_say_neither() -> None:
    metadata = Message()
    for name in ("MIT License", "Apache Software License"):
        metadata["Classifier"] = f"License :: OSI Approved :: {name}"
    assert license_key(metadata) == "unknown"


def test_really_installed_distributions(tmp_path: Path) -> None:
    few = tuple(one for one in installed_distributions() if one.name in ("tqdm", "filelock", "pydantic"))
    assert {one.name: one.version for one in few} == {
        name: importlib.metadata.version(name) for name in ("tqdm", "filelock", "pydantic")
    }
    folder = build_tables(tmp_path, few)
    files, contents = pq.read_table(folder / "files.parquet"), pq.read_table(folder / "contents.parquet")
    assert files.num_rows == sum(len(one.files) for one in few), "every file is as its RECORD says"
    assert sum(contents["copies"].to_pylist()) == files.num_rows
    import filelock

    source = Path(str(filelock.__file__)).read_text(encoding="utf-8")
    assert source in contents["content"].to_pylist()
