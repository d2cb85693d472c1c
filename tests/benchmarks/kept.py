"""What the benchmark makes for itself is kept in STILLHOUSE_HOME/work/bench, and made again when what it is of changes."""

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from infra.store.artifacts import KEY_LENGTH
from infra.store.fingerprint import stage_key
from infra.store.references import ArtifactRef

METRICS_FILE = "metrics.json"
VERSION = 2  # raise it when what `make` computes changes


@dataclass(frozen=True)
class Made:
    """A folder, the digest that it is known by, and what its making returned."""

    folder: Path
    key: str
    metrics: Mapping[str, float]


class Kept:
    """Folders under one root, each made once."""

    def __init__(self, root: Path, say: Callable[[str], None]) -> None:
        self.root, self.say = root, say

    def made(
        self,
        name: str,
        config: JsonValue,
        inputs: Mapping[str, str],
        make: Callable[[Path], Mapping[str, float]],
    ) -> Made:
        """The folder that `make` fills, from before or now; `inputs` are digests of what it is made of.

        A folder is complete when its metrics are there: they are written last.
        """
        refs = {role: ArtifactRef(uri="digest:", digest=digest) for role, digest in inputs.items()}
        key = stage_key(f"bench/{name}", VERSION, config, refs)
        folder = self.root / f"{name}-{key[:KEY_LENGTH]}"
        if not (folder / METRICS_FILE).is_file():
            self.say(name)
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            metrics = dict(make(folder))
            (folder / METRICS_FILE).write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")
        return Made(folder, key, json.loads((folder / METRICS_FILE).read_text(encoding="utf-8")))
