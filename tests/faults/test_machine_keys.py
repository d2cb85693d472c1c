"""What is measured on one machine is no answer for another, and `auto` is a precision only where it is known which."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # programs, servers or tables of keys, each in a process of its own

ROOT = Path(__file__).parents[2]
KEYS = """
import json, os, sys
cores = int(sys.argv[1])
if cores:
    os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[:cores]))
from tasks.formats.kinds import CheckpointRef
from tasks.evaluation.latency.config import BenchmarkConfig, TimingConfig
from tasks.evaluation.latency.stages import benchmark, time_model
from tasks.compression.distillation.config import AugmentConfig, DistillConfig
from tasks.compression.distillation.stages import distill, teacher_outputs
from tasks.evaluation.config import PredictConfig
from tasks.evaluation.stages import predict
from tasks.training.fine_tuning.config import TrainConfig
from tasks.training.fine_tuning.stages import train_teacher


def key(stage, config):
    return stage.key(config, {name: CheckpointRef(uri="artifact:x/1", digest=name) for name in stage.input_names})

print(json.dumps({
    "benchmark": key(benchmark, BenchmarkConfig()), "time_model": key(time_model, TimingConfig()),
    "predict": key(predict, PredictConfig()),
    **{f"{stage.name}_{precision}": key(stage, config.model_copy(update={"mixed_precision": precision}))
       for stage, config in ((train_teacher, TrainConfig()), (teacher_outputs, AugmentConfig()),
                             (distill, DistillConfig(augment=AugmentConfig(mixed_precision="no"))))
       for precision in ("auto", "bf16", "no")}}))
"""
TIMED, UNTIMED = ("benchmark", "time_model"), ("predict", "train_teacher_no", "distill_bf16")
LEARNS = ("train_teacher", "teacher_outputs", "distill")
needs_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="needs root: another /proc/cpuinfo is mounted over this one"
)


def keys(tmp_path: Path, cores: int = 0, cpuinfo: Path | None = None) -> dict[str, str]:
    """Keys of stages as a process has them that may use so many cores, of a machine with such processors."""
    command = [sys.executable, "-c", KEYS, str(cores)]
    if cpuinfo is not None:
        mounted = 'mount --bind "$0" /proc/cpuinfo && exec "$@"'
        command = ["unshare", "--mount", "bash", "-c", mounted, str(cpuinfo), *command]
    environment = os.environ | {"STILLHOUSE_HOME": str(tmp_path / "home")}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout)
    return found


def processors(path: Path, name: str, flags: str) -> Path:
    path.write_text(
        f"processor\t: 0\ncpu family\t: 25\nmodel name\t: {name}\nflags\t\t: fpu avx2 {flags}\n\nprocessor\t: 1\n"
    )
    return path


@needs_root
def test_another_processor_makes_timings_anew_and_nothing_else(tmp_path: Path) -> None:
    here = keys(tmp_path, cpuinfo=processors(tmp_path / "one", "EPYC 9554", "avx512_bf16"))
    there = keys(tmp_path, cpuinfo=processors(tmp_path / "two", "EPYC 7763", "avx512_bf16"))
    assert [name for name in TIMED if here[name] == there[name]] == []
    assert [name for name in UNTIMED if here[name] != there[name]] == []


def test_fewer_cores_make_timings_anew_and_nothing_else(tmp_path: Path) -> None:
    assert len(os.sched_getaffinity(0)) > 1
    one, all_of_them = keys(tmp_path, cores=1), keys(tmp_path)
    assert [name for name in TIMED if one[name] == all_of_them[name]] == []
    assert [name for name in UNTIMED if one[name] != all_of_them[name]] == []


@needs_root
def test_auto_precision_counts_as_what_it_comes_to(tmp_path: Path) -> None:
    with_bf16 = keys(tmp_path, cpuinfo=processors(tmp_path / "one", "EPYC 9554", "avx512_bf16"))
    without = keys(tmp_path, cpuinfo=processors(tmp_path / "two", "EPYC 9554", ""))
    for stage in LEARNS:
        assert without[f"{stage}_auto"] == without[f"{stage}_no"] == with_bf16[f"{stage}_no"]
        assert len({with_bf16[f"{stage}_{precision}"] for precision in ("auto", "bf16", "no")}) == 3
