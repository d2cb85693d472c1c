"""Connections cut and servers failing at 20 points of an upload and a download, kills, and refusals."""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from infra.errors import StoreError
from infra.record import Record
from tests.fakes.faulty_proxy import Fault, Proxy, faulty_proxy
from tests.infra.conftest import SECRET, SharedPlace
from tests.infra.machines import PART_MIB, Machine

pytestmark = pytest.mark.slow

POINTS = 20
PART = PART_MIB << 20
KINDS = ("status", "cut", "cut_request", "cut_answer")
PATTERN = "0123456789abcdef"
REFUSALS = {
    "s3": b"<Error><Code>InvalidAccessKeyId</Code><Message>The key AKIATEST is unknown</Message></Error>",
    "gs": b'{"error": {"code": 401, "message": "token rejected"}}',
}


def files(number: int) -> dict[str, str]:
    small = {f"file{i}.txt": f"{number} {i}" * 50 for i in range(3)}
    return small | {"model.bin": (f"{number:016d}" + PATTERN) * 350_000}  # 11.2 MB, three parts


def faults(count: int, requests: int) -> list[Fault]:
    """Points spread over all requests of the operation, each kind of fault as often."""
    dice = random.Random(9)
    return [
        Fault(at=number * requests // count, kind=KINDS[number % len(KINDS)], share=dice.random())
        for number in range(count)
    ]


def test_an_upload_and_a_download_with_a_fault_at_any_point_end_with_the_same_digest(
    cloud: SharedPlace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    proxy, a = cloud.failing, Machine(tmp_path / "a", cloud.url)
    records = [a.make(files(number)) for number in range(POINTS)]
    plain = a.make(files(POINTS))
    remote = a.remote()
    proxy.arm(None)
    remote.push(plain)
    upload, clean_sent = len(proxy.requests), proxy.sent
    reader = Machine(tmp_path / "b", cloud.url)
    source = reader.remote()
    proxy.arm(None)
    source.fetch(plain.stage, plain.key)
    download, clean_received = len(proxy.requests), proxy.received
    sent_again, received_again = [], []
    for record, up, down in zip(records, faults(POINTS, upload), faults(POINTS, download), strict=True):
        proxy.arm(up)
        remote.push(record)
        sent_again.append(proxy.sent - clean_sent)
        proxy.arm(down)
        found = source.fetch(record.stage, record.key).record
        received_again.append(proxy.received - clean_received)
        proxy.arm(None)
        assert found is not None
        assert found.digest == record.digest
        assert reader.store.find(record.stage, record.key, full=True).record == found
    # A fault costs at most the part that it hit (and what its request says of itself).
    assert max(sent_again) <= PART + 100_000
    assert max(received_again) <= PART + 100_000
    with capsys.disabled():
        print(
            f"\n{cloud.url[:2]}: {POINTS} faults in {upload} and {download} requests; sent again"
            f" {sum(map(_above, sent_again))} bytes of {POINTS * clean_sent},"
            f" received again {sum(map(_above, received_again))} of {POINTS * clean_received}"
        )


def _above(count: int) -> int:
    return max(count, 0)


def test_until_the_record_is_there_nothing_is_visible(cloud: SharedPlace, tmp_path: Path) -> None:
    """The store refuses everything from the n-th request on: no machine sees anything, and the rest is sent later."""
    proxy, a, b = cloud.failing, Machine(tmp_path / "a", cloud.url), Machine(tmp_path / "b", cloud.url)
    record = a.make(files(0))
    remote, reader = a.remote(), b.remote()
    refused = 0
    for at in range(0, 30, 2):
        proxy.arm(Fault(at=at, kind="status", status=403, onward=True))
        try:
            remote.push(record)
            break  # What earlier tries had sent was enough.
        except StoreError:
            refused += 1
        proxy.arm(None)
        assert reader.fetch(record.stage, record.key).record is None
        assert not b.store.folder(record.stage, record.key).exists()
    assert refused > 3
    proxy.arm(None)
    assert remote.push(record).sent == 0
    assert reader.fetch(record.stage, record.key).record is not None


def push_apart(machine: Machine, record: Record) -> subprocess.Popen[bytes]:
    program = (
        "import sys; from pathlib import Path; from tests.infra.machines import Machine\n"
        "machine = Machine(Path(sys.argv[1]), sys.argv[2])\n"
        "machine.remote().push(next(machine.store.records()))\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", program, str(machine.home), machine.url], env=os.environ.copy()
    )


def test_a_killed_upload_goes_on_with_the_parts_that_are_missing(cloud: SharedPlace, tmp_path: Path) -> None:
    proxy, a = cloud.failing, Machine(tmp_path / "a", cloud.url)
    record = a.make({"model.bin": PATTERN * 2_600_000})  # 41.6 MB: eight parts
    proxy.arm(Fault(at=13, kind="hang", onward=True))
    process = push_apart(a, record)
    assert proxy.reached.wait(120)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    proxy.arm(None)
    assert Machine(tmp_path / "b", cloud.url).find(record) is None
    sent = a.remote().push(record)
    assert 0 < sent.sent < sent.size
    assert (sent.size - sent.sent) % PART == 0
    assert Machine(tmp_path / "b", cloud.url).find(record) is not None


def test_an_upload_that_fails_is_said_and_made_up_for_at_the_next_hit(
    cloud: SharedPlace, tmp_path: Path
) -> None:
    proxy, a = cloud.failing, Machine(tmp_path / "a", cloud.url)
    record = a.make({"word.txt": "one"})
    proxy.arm(Fault(at=1, kind="status", status=403, onward=True))
    a.sharing().share(record)
    assert "is not in the shared store" in a.said
    assert "store push" in a.said
    proxy.arm(None)
    a.sharing().share(record)
    assert Machine(tmp_path / "b", cloud.url).find(record) is not None
    proxy.arm(None)
    a.sharing().share(record)
    assert proxy.requests == []


def test_refused_credentials_are_said_without_them(
    cloud: SharedPlace, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    kind = cloud.url[:2]
    a = Machine(tmp_path / "a", cloud.url)
    cloud.failing.arm(
        Fault(0, "status", status=403 if kind == "s3" else 401, body=REFUSALS[kind], onward=True)
    )
    with pytest.raises(StoreError, match="no usable credentials") as refusal:
        a.sharing().find("spell", "k" * 64)
    assert SECRET not in str(refusal.value)
    assert "AKIATEST" not in str(refusal.value)
    assert refusal.value.__cause__ is None
    assert SECRET not in "".join(capfd.readouterr())


def test_no_permission_names_what_is_needed(cloud: SharedPlace, tmp_path: Path) -> None:
    cloud.failing.arm(Fault(0, "status", status=403, onward=True))
    with pytest.raises(StoreError, match="list, read, write and delete"):
        Machine(tmp_path / "a", cloud.url).remote()


def test_a_missing_bucket_stops_before_anything_is_computed(cloud: SharedPlace, tmp_path: Path) -> None:
    a = Machine(tmp_path / "a", f"{cloud.url[:2]}://no-such-bucket-here/prefix")
    with pytest.raises(StoreError, match="no such bucket"):
        a.sharing().find("spell", "k" * 64)


def test_a_store_that_does_not_answer_is_said_once_and_the_run_goes_on(
    cloud: SharedPlace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with faulty_proxy("http://127.0.0.1:9") as gone:
        nobody = gone.endpoint
    monkeypatch.setenv("AWS_ENDPOINT_URL", nobody)
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", nobody)
    a = Machine(tmp_path / "a", cloud.url)
    sharing = a.sharing()
    assert sharing.find("spell", "k" * 64).record is None
    sharing.share(a.make({"word.txt": "one"}))
    assert len(a.lines) == 1
    assert "does not answer" in a.said


def test_the_proxy_counts_what_is_sent_twice(cloud: SharedPlace, tmp_path: Path) -> None:
    proxy: Proxy = cloud.failing
    remote = Machine(tmp_path / "a", cloud.url).remote()
    (tmp_path / "file").write_bytes(b"x" * 1_000_000)
    proxy.arm(Fault(0, "cut_request", share=0.5))
    remote.objects.send(tmp_path / "file", "file")
    assert 1_500_000 <= proxy.sent <= 1_502_000
