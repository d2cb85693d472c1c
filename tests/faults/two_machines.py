"""A flow of many small stages that are not deterministic, run by two machines at once as `python -m tests.faults.two_machines`.

Each computation writes a line into a file outside of both homes, and waits there for the other machine: so each key is
computed by both, at once, with other bytes.
"""

import json
import sys
import time
from pathlib import Path
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field

from infra.engine.run import open_run
from infra.engine.stage import Metrics, StageRun, stage
from tasks.formats.kinds import DatasetRef

from prefect import flow  # isort: skip

KEYS, MACHINES = 40, 2
PATIENCE_S = 300.0


class RollConfig(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int
    outside: Path = Field(json_schema_extra={"key": "ignore"})


@stage(version=1, output=DatasetRef)
def roll(run: StageRun, config: RollConfig) -> Metrics:
    """Write what nobody else writes."""
    rolled, computed = uuid4().hex, config.outside / str(config.number)
    with computed.open("a", encoding="utf-8") as file:
        file.write(rolled + "\n")
    until = time.monotonic() + PATIENCE_S
    while len(computed.read_text().splitlines()) < MACHINES and time.monotonic() < until:
        time.sleep(0.01)
    (run.output_dir / "rolled.txt").write_text(rolled)
    return {}


@flow(name="rolls")
def rolls(outside: Path) -> dict[int, str]:
    """Digest of each roll."""
    with open_run("rolls", RollConfig(number=0, outside=outside)):
        return {number: roll(RollConfig(number=number, outside=outside)).digest for number in range(KEYS)}


if __name__ == "__main__":
    print(json.dumps(rolls(Path(sys.argv[1]))))
