"""A store whose records are signed works as one whose are not, for those with the key and for those without."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from infra.errors import ConfigError
from infra.settings import Settings, get_settings
from infra.store.artifacts import Store
from infra.store.record import Record
from infra.store.shared.layout import record_name
from infra.store.shared.remote_store import RemoteStore
from infra.store.shared.sharing import open_remote
from tests.infra.artifacts import make_artifact

KEY = "a key of the team's, long enough"
FILES = {"rows": "ä", "sub/more": "b"}


def machine(
    place: Path, name: str, key: str | None, files: Mapping[str, str] = FILES
) -> tuple[RemoteStore, Record]:
    """A home that has an artifact, and its view of the store."""
    url = (place / "store").as_uri()
    settings = Settings(home=place / name, store=url, store_signing_key=key, _env_file=None)  # type: ignore[arg-type]
    store = Store(settings)
    return open_remote(settings, store), make_artifact(store, "curate", files)


def test_what_one_with_the_key_shares_all_of_them_take(tmp_path: Path) -> None:
    remote, record = machine(tmp_path, "first", KEY)
    remote.push(record)
    for name, key in (("with the key", KEY), ("without", None)):
        other = open_remote(
            Settings(home=tmp_path / name, store=remote.url, store_signing_key=key, _env_file=None),  # type: ignore[arg-type]
            store := Store(Settings(home=tmp_path / name, _env_file=None)),
        )
        assert other.fetch(record.stage, record.key).record is not None
        found = store.find(record.stage, record.key).record
        assert found is not None and (found.digest, found.key) == (record.digest, record.key)
        assert "signature" not in (store.folder(record.stage, record.key) / "record.json").read_text()


def test_a_signed_record_is_the_same_record_and_one_field_more(tmp_path: Path) -> None:
    remote, record = machine(tmp_path, "first", KEY)
    remote.push(record)
    told = json.loads((tmp_path / "store" / record_name(record.stage, record.key)).read_text())
    assert len(told.pop("signature")) == 64
    assert told == json.loads(record.model_dump_json())


def test_what_was_not_signed_is_signed_by_the_next_push_of_the_same_key(tmp_path: Path) -> None:
    unsigned, record = machine(tmp_path, "before", None)
    unsigned.push(record)
    remote, own = machine(tmp_path, "member", KEY)
    assert remote.record(record.stage, record.key).record is None
    remote.push(own)
    assert remote.record(record.stage, record.key).record is not None
    assert unsigned.record(record.stage, record.key).record is not None


def test_what_has_another_signature_is_left_as_it_is(tmp_path: Path) -> None:
    others, record = machine(tmp_path, "others", "the key of another team")
    others.push(record)
    remote, own = machine(tmp_path, "member", KEY)
    assert "another signature" in str(remote.push(own).other)
    assert others.record(record.stage, record.key).record == record


def test_a_key_that_is_too_short_is_refused_and_not_shown(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STILLHOUSE_STORE_SIGNING_KEY", "canary-short")
    with pytest.raises(ConfigError, match=r"STILLHOUSE_STORE_SIGNING_KEY=\*\*\*") as refused:
        get_settings()
    assert "canary" not in str(refused.value)
