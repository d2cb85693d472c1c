"""A process of a stage's own: `python -m infra.engine.child SPEC`, started by infra/engine/child_process.py.

Neither prefect nor mlflow is imported: the flow's process follows the files that this one writes. Under torch.distributed
each process runs the stage's function, and that of rank 0 alone writes what is kept.
"""

import json
import os
import sys
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

from infra.engine.spec import RESULT, TOLD, Failure, InputSpec, Result, Spec, Told
from infra.engine.stage import StageRun, each_input, flat_inputs, stage_at
from infra.files import disk_errors, write_atomically
from infra.machine.ends_with_parent import end_with
from infra.store.history import add_history
from infra.store.references import ArtifactRef

NO_MEMORY = (
    "can't allocate memory",
    "cannot allocate memory",
    "out of memory",
    "not enough memory",
    "bad_alloc",
)
PROGRESS_SECONDS = 1.0
GROUP = "group"  # beside the spec: where processes that share a stage meet


@dataclass
class ChildHouse:
    """What a stage reaches in its own process: files. Of several processes, the first alone writes them."""

    spec: Spec
    folder: Path
    writes: bool
    shown: float = 0.0  # when progress was told, by time.monotonic()

    def path(self, ref: ArtifactRef) -> Path:
        """See `House.path`. The flow's process had it fetched."""
        for spec in flat_inputs(self.spec.stage, self.spec.inputs).values():
            if spec.uri == ref.uri and spec.path is not None:
                return Path(spec.path)
        raise KeyError(f"{ref.uri} is no input of {self.spec.label} that lies in one place")

    def metrics(self, values: Mapping[str, float], step: int) -> None:
        """See `House.metrics`."""
        if self.writes:
            add_history(self.spec.work, values, step)

    def progress(self, done: float) -> None:
        """See `House.progress`."""
        now = time.monotonic()
        if now - self.shown >= PROGRESS_SECONDS or done >= 1:
            self.shown = now
            self._tell(Told(progress=done))

    def say(self, line: str) -> None:
        """See `House.say`."""
        self._tell(Told(say=line))

    def _tell(self, told: Told) -> None:
        if self.writes:
            with (self.folder / TOLD).open("a", encoding="utf-8") as file:
                file.write(told.model_dump_json(exclude_none=True) + "\n")


def main(file: Path) -> int:
    """Compute what the spec says; the exit code is 0 when there is a result."""
    spec, folder = Spec.model_validate_json(file.read_bytes()), file.parent
    rank, launched = int(os.environ.get("RANK", "0")), "RANK" in os.environ
    end_with(os.getppid() if launched else spec.parent)
    os.dup2(2, 1)  # What libraries print is for the terminal; nobody reads our standard output.
    write_atomically(folder / f"rank-{rank}.pid", str(os.getpid()))
    try:
        with disk_errors(spec.home), together(folder, rank) if launched else nullcontext():
            result = compute(spec, folder, rank)
    except BaseException as error:  # Whatever it is: the flow's process is to know.
        if not told_by_us(error):
            traceback.print_exc()
        write_atomically(folder / f"error-{rank}.json", failure(error).model_dump_json())
        return 1
    if rank == 0:
        write_atomically(folder / RESULT, result.model_dump_json())
    return 0


@contextmanager
def together(folder: Path, rank: int) -> Iterator[None]:
    """One of several processes, which meet at a file: torch.distributed's own store would listen on every interface."""
    import torch.distributed

    count = int(os.environ["WORLD_SIZE"])
    store = torch.distributed.FileStore(str(folder / GROUP), count)  # type: ignore[attr-defined]  # PyTorch lists it nowhere
    torch.distributed.init_process_group(store=store, rank=rank, world_size=count)
    yield
    torch.distributed.destroy_process_group()  # After an error the agent ends them all.


def compute(spec: Spec, folder: Path, rank: int) -> Result:
    """Run the stage's function."""
    stage = stage_at(spec.stage, spec.label)
    config = resolve_name(spec.config_class).model_validate_json(json.dumps(spec.config))
    output = spec.output
    if rank:  # What it writes is the first one's as well, and is not kept.
        output = folder / f"rank-{rank}"
        output.mkdir()
    run = StageRun(spec.key, output, spec.work, spec.machine, ChildHouse(spec, folder, writes=rank == 0))
    metrics = stage.function(run, config, **each_input(spec.inputs, reference))
    return Result(metrics={name: float(value) for name, value in metrics.items()})


def reference(spec: InputSpec) -> ArtifactRef:
    """The reference as the flow had it."""
    made: Any = resolve_name(spec.kind)(uri=spec.uri, digest=spec.digest)
    if not isinstance(made, ArtifactRef):
        raise TypeError(f"{spec.kind} is no reference of an artifact")
    return made


def failure(error: BaseException) -> Failure:
    """An error as the flow's process reads it."""
    said = str(error)
    memory = isinstance(error, MemoryError) or any(words in said.lower() for words in NO_MEMORY)
    trace = "".join(traceback.format_exception(error))
    return Failure(kind=type(error).__name__, message=said, memory=memory, trace=trace)


def told_by_us(error: BaseException) -> bool:
    """Whether its message is for a person."""
    return type(error).__module__ == "infra.errors"


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))
