"""The benchmark's workers: what they measure, and what they refuse. How one ends is tests/tasks/processes."""

import os
import signal
from pathlib import Path

import pytest

from infra.errors import ArtifactError, ServiceError
from tasks.evaluation.latency.process import Contender, idle_share, workers
from tasks.evaluation.latency.protocol import Open, Setting
from tasks.evaluation.latency.worker import open_model, throughput, time_calls, tune, use
from tests.tasks.processes import asked
from tests.tasks.serving.release.tiny_release import make_onnx_artifact


def opening(folder: Path, cores: int = 2) -> Open:
    return Open(name="onnx", folder=folder, classes=3, cores=cores)


def test_a_model_is_opened_tuned_and_timed_and_rests_in_between(tmp_path: Path) -> None:
    model = make_onnx_artifact(tmp_path / "onnx")
    with workers(["onnx"]) as started:
        worker = started["onnx"]
        opened = worker.ask(open_model, opening(model))
        assert opened.runtime.startswith("onnxruntime ")
        assert opened.size_bytes == sum(path.stat().st_size for path in model.iterdir())
        assert worker.ask(tune, "move money", 5).threads in {1, 2}
        times = worker.ask(time_calls, "move money", 2, 12)
        assert len(times) == 12
        assert all(time > 0 for time in times)
        assert worker.ask(throughput, (("pin", "move money"), ("account",))) > 1
        assert idle_share([worker], 0.3) < 0.2


def test_a_worker_that_works_is_seen_to_be_no_idle_one() -> None:
    with workers(["idle", "busy"]) as started:
        assert idle_share(list(started.values()), 0.3) < 0.2
        started["busy"].ask(asked.work_on)
        assert idle_share(list(started.values()), 0.5) > 0.2


def test_a_setting_is_used_when_it_is_asked_for(tmp_path: Path) -> None:
    model = make_onnx_artifact(tmp_path / "onnx")
    with workers(["onnx"]) as started:
        worker = started["onnx"]
        worker.ask(open_model, opening(model))
        setting = Setting(threads=1, spinning=False)
        assert worker.ask(use, setting) == setting
        assert len(worker.ask(time_calls, "pin", 1, 3)) == 3


def test_padding_to_all_positions_is_the_yardsticks_alone(tmp_path: Path) -> None:
    with workers(["onnx"]) as started:
        started["onnx"].ask(open_model, opening(make_onnx_artifact(tmp_path / "onnx")))
        with pytest.raises(ArtifactError, match="only the yardstick pads"):
            started["onnx"].ask(throughput, (("pin",),), padded=True)


def test_a_refusal_is_the_users_error_and_the_worker_lives_on(tmp_path: Path) -> None:
    with workers(["student"]) as started:
        worker = started["student"]
        with pytest.raises(ArtifactError, match=r"student cannot be measured: .* holds no model"):
            worker.ask(open_model, opening(tmp_path))
        with pytest.raises(ArtifactError, match="before a model was opened"):
            worker.ask(time_calls, "x", 1, 10)
        assert worker.ask(open_model, opening(make_onnx_artifact(tmp_path / "onnx"))).size_bytes > 0


def test_a_worker_that_is_killed_while_it_rests_is_said_with_its_model_and_the_signal() -> None:
    with workers(["teacher", "student"]) as started:
        os.kill(started["teacher"].ask(os.getpid), signal.SIGKILL)
        with pytest.raises(ServiceError, match=r"worker for teacher died \(SIGKILL\(-9\); out of memory\?\)"):
            started["teacher"].ask(time_calls, "x", 1, 10)
        assert started["student"].ask(asked.add, 1, 1) == 2


def test_a_worker_that_hangs_is_said_with_its_model_and_the_remedy() -> None:
    with Contender("teacher", longest_wait_s=3) as worker:
        os.kill(worker.ask(os.getpid), signal.SIGSTOP)
        with pytest.raises(
            ServiceError, match=r"worker for teacher did not answer within 3 s. Lower benchmark.timed"
        ):
            worker.ask(time_calls, "x", 1, 10)


def test_what_sets_threads_or_reaches_the_network_is_not_the_callers(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.setenv(name, "7")
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    with workers(["one"]) as started:
        names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "HF_HUB_OFFLINE")
        assert [started["one"].ask(asked.variable, name) for name in names] == [None, None, "1"]


def test_workers_end_when_the_block_fails() -> None:
    pids = []
    with pytest.raises(RuntimeError), workers(["one", "two"]) as started:
        pids = [worker.ask(os.getpid) for worker in started.values()]
        raise RuntimeError("something else went wrong")
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
