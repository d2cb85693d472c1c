"""Workers as processes: what they refuse, and that none outlives its parent."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from infra.errors import ArtifactError, ServiceError
from tasks.benchmark.process import ROOT, Worker, idle_share, workers
from tasks.benchmark.protocol import Latency, Open, Opened, Rate, Setting, Throughput, Timed, Tune, Use
from tests.tasks.deploy.tiny_release import make_onnx_artifact

ENDS_WITHIN_S = 20.0


def opening(folder: Path, cores: int = 2) -> Open:
    return Open(name="onnx", folder=folder, classes=3, cores=cores)


def gone(pid: int) -> bool:
    """Whether a process has ended (a zombie has)."""
    deadline = time.monotonic() + ENDS_WITHIN_S
    while time.monotonic() < deadline:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.05)
    return False


def test_a_model_is_opened_tuned_and_timed_and_rests_in_between(tmp_path: Path) -> None:
    model = make_onnx_artifact(tmp_path / "onnx")
    with workers(["onnx"]) as started:
        worker = started["onnx"]
        opened = worker.ask(opening(model), Opened)
        assert opened.runtime.startswith("onnxruntime ")
        assert opened.size_bytes == sum(path.stat().st_size for path in model.iterdir())
        setting = worker.ask(Tune(query="move money", calls=5), Setting)
        assert setting.threads in {1, 2}
        times = worker.ask(Latency(query="move money", warmups=2, timed=12), Timed).nanoseconds
        assert len(times) == 12
        assert all(time > 0 for time in times)
        assert worker.ask(Throughput(batches=(("pin", "move money"), ("account",))), Rate).rows_per_s > 1
        assert idle_share([worker], 0.3) < 0.2
        pid = worker.pid
    assert gone(pid)


def test_a_setting_is_used_when_it_is_asked_for(tmp_path: Path) -> None:
    model = make_onnx_artifact(tmp_path / "onnx")
    with workers(["onnx"]) as started:
        worker = started["onnx"]
        worker.ask(opening(model), Opened)
        setting = Setting(threads=1, spinning=False)
        assert worker.ask(Use(setting=setting), Setting) == setting
        assert len(worker.ask(Latency(query="pin", warmups=1, timed=3), Timed).nanoseconds) == 3


def test_padding_to_all_positions_is_the_yardsticks_alone(tmp_path: Path) -> None:
    with workers(["onnx"]) as started:
        started["onnx"].ask(opening(make_onnx_artifact(tmp_path / "onnx")), Opened)
        with pytest.raises(ArtifactError, match="only the yardstick pads"):
            started["onnx"].ask(Throughput(batches=(("pin",),), padded=True), Rate)


def test_a_refusal_is_the_users_error_and_the_worker_lives_on(tmp_path: Path) -> None:
    with workers(["student"]) as started:
        worker = started["student"]
        with pytest.raises(ArtifactError, match=r"student cannot be measured: .* holds no model"):
            worker.ask(opening(tmp_path), Opened)
        with pytest.raises(ArtifactError, match="before a model was opened"):
            worker.ask(Latency(query="x", warmups=1, timed=10), Timed)
        assert worker.ask(opening(make_onnx_artifact(tmp_path / "onnx")), Opened).size_bytes > 0


def test_a_worker_that_is_killed_is_said_with_the_signal() -> None:
    with workers(["teacher"]) as started:
        os.kill(started["teacher"].pid, signal.SIGKILL)
        with pytest.raises(ServiceError, match=r"worker for teacher died \(signal 9; out of memory\?\)"):
            started["teacher"].ask(Latency(query="x", warmups=1, timed=10), Timed)


def test_a_worker_that_crashes_is_said_with_its_last_words() -> None:
    with workers(["teacher"]) as started, pytest.raises(ServiceError, match="union_tag_not_found"):
        started["teacher"].ask(Setting(threads=1), Setting)  # no request: it does not know what to do


def test_a_worker_that_hangs_is_said() -> None:
    worker = Worker("teacher", longest_wait_s=0.2)
    try:
        os.kill(worker.pid, signal.SIGSTOP)
        with pytest.raises(ServiceError, match="did not answer within 0 s"):
            worker.ask(Latency(query="x", warmups=1, timed=10), Timed)
    finally:
        os.kill(worker.pid, signal.SIGCONT)
        worker.end()


def test_workers_end_when_the_block_fails() -> None:
    pids = []
    with pytest.raises(RuntimeError), workers(["one", "two"]) as started:
        pids = [worker.pid for worker in started.values()]
        raise RuntimeError("something else went wrong")
    assert all(gone(pid) for pid in pids)


def test_workers_end_when_their_parent_is_killed() -> None:
    lines = (
        "import time",
        "from tasks.benchmark.process import Worker",
        "print(Worker('one').pid, flush=True)",
    )
    script = "\n".join((*lines, "time.sleep(600)"))
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    with parent:
        pid = int(parent.stdout.readline()) if parent.stdout else 0
        parent.kill()
        parent.wait()
    assert pid
    assert gone(pid)
