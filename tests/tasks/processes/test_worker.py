"""Real processes: what a worker has and has not, what is said of one that fails, and that none is left."""

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import psutil
import pytest

from infra.errors import DataError, ServiceError
from tasks.processes.worker import Worker
from tests.conftest import ROOT
from tests.tasks.processes import asked

ENDS_WITHIN_S = 5.0
SEMAPHORES = Path("/dev/shm")


def gone(pid: int) -> bool:
    """Whether a process has ended (a zombie has)."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_one_process_answers_call_after_call_and_ends_with_its_block() -> None:
    with Worker("a worker") as worker:
        assert worker.ask(asked.add, 2, second=3) == 5
        pid = worker.ask(os.getpid)
        assert worker.ask(os.getpid) == pid != os.getpid()
    assert gone(pid)


def test_a_worker_that_is_never_asked_is_never_started() -> None:
    before = len(psutil.Process().children(recursive=True))
    with Worker("a worker"):
        assert len(psutil.Process().children(recursive=True)) == before


def test_calls_that_were_sent_are_answered_in_their_order() -> None:
    with Worker("a worker") as worker:
        sent = [worker.send(asked.add, number, 1) for number in range(5)]
        assert [worker.receive(one) for one in sent] == [1, 2, 3, 4, 5]


def test_variables_are_set_before_the_interpreter_and_left_out_for_libraries(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    with Worker("a worker", {"PYTHONOPTIMIZE": "1"}, unset=("OMP_NUM_THREADS", "NOT_SET")) as worker:
        assert worker.ask(asked.variable, "OMP_NUM_THREADS") is None
        assert worker.ask(asked.variable, "PYTHONOPTIMIZE") == "1"
        assert "numpy" not in worker.ask(asked.modules)  # it reads them when it is imported
    assert os.environ["OMP_NUM_THREADS"] == "7"


def test_no_module_of_the_working_folder_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("loky", "argparse", "pickle", "psutil", "cloudpickle", "tempfile"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    monkeypatch.setenv("PYTHONSAFEPATH", "1")  # as infra/machine/environment.py sets it
    monkeypatch.chdir(tmp_path)
    with Worker("a worker") as worker:
        worker.ask(asked.modules)
    assert not (tmp_path / "ran").exists()


def test_a_worker_that_has_grown_keeps_what_it_holds() -> None:
    with Worker("a worker") as worker:
        first, _ = worker.ask(asked.hold, 1)
        for number in range(2, 5):
            time.sleep(1.1)  # loky looks once a second, and has 300 MB for a leak
            assert worker.ask(asked.hold, 200) == (first, number)


def test_it_listens_nowhere() -> None:
    """In a program of its own: this one's may have handed a test server's socket on."""
    program = (
        "from tasks.processes.worker import Worker\nfrom tests.tasks.processes import asked\n"
        "with Worker('a worker') as worker:\n    print(worker.ask(asked.listening))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr


def test_an_error_of_ours_is_raised_as_it_is_and_the_worker_lives_on() -> None:
    with Worker("a worker") as worker:
        with pytest.raises(DataError, match=r"^no rows$"):
            worker.ask(asked.refuse)
        assert worker.ask(asked.add, 1, 1) == 2


def test_any_other_error_is_said_with_its_kind() -> None:
    with (
        Worker("a worker") as worker,
        pytest.raises(ServiceError, match=r"worker failed \(KeyError: 'a name'\)"),
    ):
        worker.ask(asked.fail)


def test_a_worker_that_gets_no_memory_says_so_with_the_remedy() -> None:
    with (
        Worker("a worker") as worker,
        pytest.raises(ServiceError, match=r"failed \(MemoryError.*Free some memory"),
    ):
        worker.ask(asked.hold_beyond, 1)


def test_an_error_that_cannot_be_told_is_said() -> None:
    with Worker("a worker") as worker, pytest.raises(ServiceError, match="a worker died"):
        worker.ask(asked.fail_oddly)


def test_a_worker_that_is_killed_is_said_with_the_signal_at_once_and_ever_after() -> None:
    with Worker("a worker") as worker:
        os.kill(worker.ask(os.getpid), signal.SIGKILL)
        for _ in range(2):
            with pytest.raises(
                ServiceError, match=r"a worker died \(SIGKILL\(-9\); out of memory\?\).*(?s:.*)Free"
            ):
                worker.ask(asked.add, 1, 1)


def test_a_worker_that_dies_is_said_with_its_last_words(capfd: pytest.CaptureFixture[str]) -> None:
    with (
        Worker("a worker") as worker,
        pytest.raises(ServiceError, match=r"SIGABRT\(-6\)\): (?s:.*)terminate called"),
    ):
        worker.ask(asked.abort, "terminate called")
    assert capfd.readouterr() == ("", "")


def test_a_worker_that_ends_without_an_answer_is_said_with_its_exit_code() -> None:
    with Worker("a worker") as worker, pytest.raises(ServiceError, match=r"died \(EXIT\(3\)\).*(?s:.*)none"):
        worker.ask(asked.leave, 3)


def test_a_worker_that_hangs_is_said_and_ended(tmp_path: Path) -> None:
    with Worker("a worker", longest_wait_s=3) as worker:
        pid = worker.ask(os.getpid)
        os.kill(pid, signal.SIGSTOP)
        with pytest.raises(ServiceError, match="a worker did not answer within 3 s"):
            worker.ask(asked.add, 1, 1)
    assert gone(pid)


def test_a_call_that_goes_on_is_ended_with_the_block(tmp_path: Path) -> None:
    started = tmp_path / "started"
    with pytest.raises(RuntimeError), Worker("a worker") as worker:
        pid = worker.ask(os.getpid)
        worker.send(asked.wait, started)
        while not started.exists():
            time.sleep(0.01)
        raise RuntimeError("something else went wrong")
    assert gone(pid)


def test_a_killed_programs_worker_had_nothing_of_it_and_leaves_nothing(tmp_path: Path) -> None:
    file, temporary = tmp_path / "found.json", tmp_path / "temporary"
    temporary.mkdir()
    command = [sys.executable, "-m", "tests.tasks.processes.with_prefect", str(file)]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | {"TMPDIR": str(temporary)})
    deadline = time.monotonic() + ENDS_WITHIN_S
    assert done.returncode == -signal.SIGKILL
    found = json.loads(file.read_text())
    assert not {"prefect", "mlflow", "numpy", "pydantic", "joblib"} & set(found["modules"])
    while not all(map(gone, found["children"])) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(found["children"]) >= 1
    assert [pid for pid in found["children"] if not gone(pid)] == []
    left = partial(SEMAPHORES.glob, f"*{found['pid']}*")
    while any(left()) and time.monotonic() < deadline:  # loky's tracker, which outlives them, takes these
        time.sleep(0.05)
    assert list(left()) == []
    assert list(temporary.iterdir()) == []
