"""Keys that runs count on, and keys that are freed, in one process and between processes."""

import subprocess
import sys
import threading
from pathlib import Path

import psutil

from infra.store.locks import KeysInUse, alone_if_free, alone_on, freeing, keys_in_use, locked_keys

KEY = "0123456789abcdef0123" + "f" * 44
NAME = KEY[:20]


def test_what_runs_count_on_is_not_free_until_the_last_has_ended(tmp_path: Path) -> None:
    one, two = KeysInUse(tmp_path), KeysInUse(tmp_path)
    for run in (one, two, one):
        run.hold(KEY)
    for run in (one, two):
        assert keys_in_use(tmp_path) == {NAME}
        with freeing(tmp_path, KEY) as alone:
            assert not alone
        run.release()
    assert keys_in_use(tmp_path) == set()
    with freeing(tmp_path, KEY) as alone:
        assert alone


def test_what_is_being_computed_is_in_use_and_not_free(tmp_path: Path) -> None:
    with alone_on(tmp_path, KEY):
        assert keys_in_use(tmp_path) == {NAME}
        with freeing(tmp_path, KEY) as alone:
            assert not alone


def test_a_child_that_inherits_the_lock_of_a_killed_process_keeps_the_key(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys, time; from pathlib import Path; from infra.store.locks import alone_on\n"
        f"with alone_on(Path({str(tmp_path)!r}), {KEY!r}) as file:\n"
        "    child = subprocess.Popen([sys.executable, '-c', 'input()'], pass_fds=[file], stdin=0)\n"
        "    print(child.pid, flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=-1, stdout=-1, text=True) as holder:
        assert holder.stdin is not None and holder.stdout is not None
        child = psutil.Process(int(holder.stdout.readline()))
        holder.kill()
        holder.wait()
        assert keys_in_use(tmp_path) == {NAME}
        with alone_if_free(tmp_path, KEY) as alone:
            assert not alone
        holder.stdin.close()  # Its end: the child reads nothing any more.
        psutil.wait_procs([child], timeout=60)
    with alone_if_free(tmp_path, KEY) as alone:
        assert alone


def test_who_looks_up_a_key_that_is_being_freed_waits_and_then_holds_it(tmp_path: Path) -> None:
    run, waiting, said = KeysInUse(tmp_path), threading.Event(), []

    def use() -> None:
        waiting.set()
        run.hold(KEY)
        said.append("held")

    user = threading.Thread(target=use)
    with freeing(tmp_path, KEY) as alone:
        assert alone
        user.start()
        assert waiting.wait(60)
        said.append("freed")
    user.join()
    assert said == ["freed", "held"]
    assert keys_in_use(tmp_path) == {NAME}
    run.release()


def test_the_keys_of_a_run_that_is_killed_are_free_and_its_files_go(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from infra.store.locks import KeysInUse\n"
        f"KeysInUse(Path({str(tmp_path)!r})).hold({KEY!r}); print('held', flush=True); time.sleep(600)"
    )
    run = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert run.stdout is not None
    assert run.stdout.readline() == "held\n"
    assert keys_in_use(tmp_path) == {NAME}
    run.kill()
    run.communicate()
    assert keys_in_use(tmp_path) == set()
    assert locked_keys(tmp_path) == {NAME}
    with freeing(tmp_path, KEY) as alone:
        assert alone
    assert list(tmp_path.iterdir()) == []


def test_a_run_leaves_no_lock_files_of_its_keys(tmp_path: Path) -> None:
    run = KeysInUse(tmp_path)
    for number in range(50):
        run.hold(f"{number:064x}"[::-1])
    assert len(locked_keys(tmp_path)) == 50
    run.release()
    assert list(tmp_path.iterdir()) == []


def test_a_run_may_hold_more_keys_than_files_are_allowed_at_first(tmp_path: Path) -> None:
    code = (
        "import resource; from pathlib import Path; from infra.store.locks import KeysInUse\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (64, 512))\n"
        f"run = KeysInUse(Path({str(tmp_path)!r}))\n"
        "for number in range(300): run.hold(f'{number:064x}'[::-1])\n"
        "run.release(); print('held them all')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=400)
    assert done.stdout == "held them all\n", done.stderr


def test_other_lock_files_are_no_keys(tmp_path: Path) -> None:
    (tmp_path / "mlflow.lock").touch()
    (tmp_path / "registry.lock").touch()
    assert locked_keys(tmp_path) == keys_in_use(tmp_path) == set()
