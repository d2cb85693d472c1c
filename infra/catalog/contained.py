"""What an artifact holds of whom: `contains.json`, which a stage leaves in an artifact whose parts may be withdrawn one day.

    {"licence": {"mit": 7}, "repo": {"owner/name": 7}}

Kinds of sources, and the number of parts of each. It is read where a source is withdrawn: `stillhouse artifacts lineage
--down repo:owner/name`.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import TypeAdapter

from infra.errors import ArtifactError
from infra.files import write_atomically
from infra.store.artifacts import Store
from infra.store.record import Record

CONTAINED_FILE = "contains.json"
Sources = Mapping[str, Mapping[str, int]]
_SOURCES: TypeAdapter[Sources] = TypeAdapter(Sources)


def write_contained(folder: Path, sources: Sources) -> None:
    """Leave `contains.json` in an artifact that is being made: by kind, the names and how many parts are of each."""
    write_atomically(folder / CONTAINED_FILE, json.dumps(sources, indent=1, sort_keys=True) + "\n")


def declaring(records: Iterable[Record]) -> list[Record]:
    """Records of the artifacts that say what they hold."""
    return [record for record in records if CONTAINED_FILE in record.files]


def read_contained(store: Store, record: Record) -> Sources:
    """What an artifact holds; only this file of it comes from a shared store. Raises ArtifactError when it cannot be had."""
    path = store.part(record, (CONTAINED_FILE,)) / CONTAINED_FILE
    try:
        return _SOURCES.validate_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ArtifactError(
            f"{path} cannot be read ({error.__class__.__name__}): expected sources and their numbers. Run the flow that "
            f"made {record.stage} again."
        ) from None
