"""What stays: artifacts that a kept release reaches, that are in use, that were used lately, or whose record is foreign."""

import re
import time
from collections.abc import Collection
from pathlib import Path

from infra.catalog.garbage import DAY, last_use
from infra.catalog.lineage import ancestors
from infra.champions.promotions import Promotions, champions
from infra.hub.connect import open_hub
from infra.hub.local import LocalHub
from infra.hub.protocol import FOLDERS, Hub, Kind
from infra.settings import Settings
from infra.store.artifacts import KEY_LENGTH, Store
from infra.store.record import RECORD_FILE, Record

# Names of the keys that a record was made from.
_NAMED = re.compile(r"artifact:[^/\"\s]+/([0-9a-f]{20})")


def kept_keys(
    settings: Settings,
    records: list[Record],
    keep_days: float,
    keep_releases: int | None,
    in_use: Collection[str],
    foreign: Collection[Path],
) -> set[str]:
    """Keys of the records that stay. `in_use` are names of keys, `foreign` folders whose record cannot be read."""
    store, oldest = Store(settings), (time.time() - keep_days * DAY) * 1e9
    published = _published_files(settings, keep_releases)
    releases = [record for record in records if _is_published(record, published)]
    recent = [record for record in records if last_use(store.folder(record.stage, record.key)) >= oldest]
    evidence = _evidence(records, [record for record in releases if record.kind == "ReleaseRef"])
    needed = {*in_use, *named_in(foreign, _NAMED)}
    counted_on = [record for record in records if record.key[:KEY_LENGTH] in needed]
    return ancestors(records, [*releases, *recent, *evidence, *counted_on])


def foreign_folders(settings: Settings, records: list[Record]) -> list[Path]:
    """Artifacts with a record that this version cannot read: of a newer one, damaged, or of another key."""
    whole = {(record.stage, record.key[:KEY_LENGTH]) for record in records}
    found = (path.parent for path in settings.artifacts.glob(f"*/*/{RECORD_FILE}"))
    return sorted(folder for folder in found if (folder.parent.name, folder.name) not in whole)


def kept_revisions(hub: Hub, kind: Kind, repo: str, keep_releases: int | None) -> set[str]:
    """Revisions of a repository that count: the newest `keep_releases` (None: all), `main`, and the way back.

    The way back are the champion and the `keep_releases` before it in the order of succession: after a rollback
    `main` is not the newest.
    """
    published = [item.revision for item in hub.revisions(kind, repo)]
    if keep_releases is None:
        return set(published)
    main = hub.main(kind, repo)
    kept = {revision for i, revision in enumerate(published) if i < keep_releases or revision == main}
    if kind == "model":
        order = champions(Promotions(hub, repo).lines())
        kept |= {champion.revision for champion in order[-keep_releases - 1 :]}
    return kept.intersection(published)


def named_in(foreign: Collection[Path], pattern: re.Pattern[str]) -> set[str]:
    """What records that cannot be read speak of, by the look of it."""
    texts = ((folder / RECORD_FILE).read_text(encoding="utf-8", errors="replace") for folder in foreign)
    return {name for text in texts for name in pattern.findall(text)}


def _is_published(record: Record, published: set[str]) -> bool:
    """All of its files are in the Hub, under whatever names: a tokenizer alone is shared by many."""
    return bool(record.files) and {file.sha256 for file in record.files.values()} <= published


def _evidence(records: list[Record], releases: list[Record]) -> list[Record]:
    """What was measured of releases: everything that has one among its inputs, directly or further back."""
    known = {record.digest for record in releases}
    found: list[Record] = []
    # What a record was made from is older.
    for record in sorted(records, key=lambda record: record.finished):
        if any(given.digest in known for given in record.inputs.values()):
            known.add(record.digest)
            found.append(record)
    return found


def _published_files(settings: Settings, keep_releases: int | None) -> set[str]:
    """sha256 of every file of the kept revisions, in the folder of the local Hub and in the one of the settings."""
    digests: set[str] = set()
    for hub in dict.fromkeys((LocalHub(settings.hub_folder), open_hub(settings))):
        for kind in FOLDERS:
            for repo in hub.repositories(kind):
                for revision in kept_revisions(hub, kind, repo, keep_releases):
                    digests |= hub.file_digests(kind, repo, revision)
    return digests
