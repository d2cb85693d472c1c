"""Stages that run in processes of their own, as modules have them: another process imports them by name."""

import os
import signal
import sys
import threading
import time
from pathlib import Path

import psutil
from pydantic import BaseModel, ConfigDict, Field

from infra.engine.stage import Metrics, StageRun, stage
from infra.errors import DataError
from tasks.formats.kinds import DatasetRef, ReportRef

CHECKPOINT = "checkpoint"
TWO = threading.Barrier(2)


class WordsConfig(BaseModel):
    """What is written."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str = "words"
    steps: int = 3


class LearnConfig(WordsConfig):
    """How something is learnt from words; `meets` is what it meets on the way, once."""

    meets: str = "nothing"
    marks: str = Field("", description="folder of marks", json_schema_extra={"key": "ignore"})


@stage(version=1, output=DatasetRef)
def write_words(run: StageRun, config: WordsConfig) -> Metrics:
    """Words, in a file."""
    (run.output_dir / "words.txt").write_text(config.text)
    return {"characters": len(config.text)}


@stage(version=1, output=ReportRef, process=True, distributed=True)
def learn_words(run: StageRun, config: LearnConfig, words: DatasetRef) -> Metrics:
    """One character a step, each kept in a checkpoint; what was learnt before a kill is not learnt again."""
    text = (run.path(words) / "words.txt").read_text()
    kept = run.work_dir / CHECKPOINT
    # As a loop of several processes does: all begin at one place, and the first alone keeps where they are.
    several, writes = "RANK" in os.environ, os.environ.get("RANK", "0") == "0"
    learnt = kept.read_text() if kept.is_file() and not several else ""
    run.say(f"goes on from {len(learnt)}")
    sys.stderr.write("a library's words\n")
    for step in range(len(learnt), config.steps):
        learnt += text[step % len(text)]
        if writes:
            kept.write_text(learnt)
        run.log_metrics({"learnt": len(learnt), "progress": (step + 1) / config.steps}, step)
        if step == 1:
            MEETS[config.meets](config)
    (run.output_dir / "learnt.txt").write_text(learnt)
    modules = sorted({name.partition(".")[0] for name in sys.modules})
    if config.marks:
        (Path(config.marks) / f"modules-{os.getpid()}").write_text("\n".join(modules))
        (Path(config.marks) / f"listens-{os.getpid()}").write_text("\n".join(listening()))
    return {"learnt": float(len(learnt))}


@stage(version=1, output=ReportRef)
def join_words(run: StageRun, config: WordsConfig, parts: dict[str, ReportRef]) -> Metrics:
    """What several learnt, by name."""
    for name, part in parts.items():
        (run.output_dir / f"{name}.txt").write_bytes((run.path(part) / "learnt.txt").read_bytes())
    return {"parts": float(len(parts))}


def listening() -> list[str]:
    """The addresses at which this process and who started it take connections."""
    family = [psutil.Process(), psutil.Process().parent()]
    sockets = [one for process in family if process is not None for one in process.net_connections("inet")]
    return [one.laddr.ip for one in sockets if one.status == psutil.CONN_LISTEN]


def _once(config: LearnConfig) -> bool:
    """Whether this happens for the first time; it is noted with the process's number."""
    mark = Path(config.marks) / "met"
    first = not mark.exists()
    mark.write_text(str(os.getpid()))
    return first


def _killed(config: LearnConfig) -> None:
    if _once(config):
        os.kill(os.getpid(), signal.SIGKILL)


def _waits(config: LearnConfig) -> None:
    if _once(config):
        time.sleep(600)


def _together(config: LearnConfig) -> None:
    """Fails once another thread is here as well: neither is the first."""
    TWO.wait(60)
    raise DataError(f"found nothing to learn from {config.text}: expected words. Give some.")


def _data(config: LearnConfig) -> None:
    raise DataError("found nothing to learn: expected words. Give some.")


def _defect(config: LearnConfig) -> None:
    raise RuntimeError("a library's fault")


def _memory(config: LearnConfig) -> None:
    if _once(config):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))
        bytearray(2**31)


MEETS = {
    "nothing": lambda _: None,
    "kill": _killed,
    "wait": _waits,
    "data": _data,
    "defect": _defect,
    "memory": _memory,
    "together": _together,
}
