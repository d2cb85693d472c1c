"""Connections cut and servers failing at 20 random points of an upload and a download, kills, and refusals."""

import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from infra.errors import StoreError, StoreUnreachable
from infra.store.record import Record
from infra.store.shared.bucket import PARALLEL
from infra.store.shared.remote_store import RemoteStore
from tests.fakes.faulty_proxy import Fault, Kind, Proxy, faulty_proxy
from tests.infra.store.shared.conftest import SECRET, SharedPlace
from tests.infra.store.shared.machines import PART_MIB, Machine

pytestmark = pytest.mark.slow

POINTS = 20
PART = PART_MIB << 20
SMALL = 100_000  # bytes that requests say of themselves, and files below the part size
KINDS: tuple[Kind, ...] = ("status", "cut", "cut_request", "cut_answer", "hang", "stall_answer")
IMPATIENT = 2.0  # seconds; only for faults that are silence
PATTERN = "0123456789abcdef"
BYTES = {"s3": "^PUT ", "gs": "^POST .*upload_id="}  # requests that carry a file, or a part of one
REFUSALS = {
    "s3": b"<Error><Code>InvalidAccessKeyId</Code><Message>The key AKIATEST is unknown</Message></Error>",
    "gs": b'{"error": {"code": 401, "message": "token rejected"}}',
}


def files(number: int) -> dict[str, str]:
    small = {f"file{i}.txt": f"{number} {i}" * 50 for i in range(3)}
    return small | {"model.bin": (f"{number:016d}" + PATTERN) * 170_000}  # 5.44 MB: two parts


def random_faults(requests: int) -> list[Fault]:
    """Random requests of an operation, each kind of fault as often."""
    dice = random.Random(9)
    kinds = [KINDS[number % len(KINDS)] for number in range(POINTS)]
    return [Fault(at=dice.randrange(requests), kind=kind, share=dice.random()) for kind in kinds]


@dataclass
class Reader:
    """Another home, which looks at the store itself: what it sees of an artifact, step by step."""

    remote: RemoteStore
    record: Record
    seen: list[str] = field(default_factory=list)

    def look(self) -> None:
        found = self.remote.record(self.record.stage, self.record.key).record
        whole = found is not None and self.remote.holds(found)
        self.seen.append("nothing" if found is None else "whole" if whole else "a part")


def past_the_proxy(machine: Machine, cloud: SharedPlace, patch: pytest.MonkeyPatch) -> RemoteStore:
    """A machine's way to the store that no fault hits."""
    with patch.context() as direct:
        for name in ("AWS_ENDPOINT_URL", "STORAGE_EMULATOR_HOST"):
            direct.setenv(name, cloud.failing.upstream)
        remote = machine.remote()
        remote.record("none", "0" * 64)
    return remote


@pytest.mark.whole_runs
def test_an_upload_that_is_broken_at_random_points_shows_nothing_or_the_whole(
    cloud: SharedPlace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    proxy, a = cloud.failing, Machine(tmp_path / "a", cloud.url)
    watcher = past_the_proxy(Machine(tmp_path / "b", cloud.url), cloud, monkeypatch)
    patient, impatient = a.remote(), replace(a, timeout_s=IMPATIENT).remote()
    counts = []
    for number in range(POINTS, POINTS + 4):  # The first of a client are more, and so are those of a retry.
        proxy.arm(None)
        patient.push(a.make(files(number)))
        counts.append(len(proxy.requests))
    requests, clean = min(counts), proxy.sent
    again = []
    for number, fault in enumerate(random_faults(requests)):
        record = a.make(files(number))
        reader = Reader(watcher, record)
        silence = fault.kind in ("hang", "stall_answer")
        proxy.arm(fault, watch=reader.look)
        try:
            (impatient if silence else patient).push(record)
        except StoreUnreachable:  # A busy machine was slower than its patience: then at the next hit.
            assert silence, fault
            patient.push(record)
        assert proxy.hits.acquire(blocking=False), fault
        assert reader.seen == sorted(reader.seen, key=["nothing", "whole"].index)
        assert {"nothing", "whole"} == set(reader.seen)
        again.append(proxy.sent - clean)
        # A fault costs at most the part that it hit; a busy machine may take any answer for silence.
        assert silence or again[-1] <= PART + SMALL, fault
        proxy.arm(None)
        assert watcher.holds(record)
        assert proxy.requests == []
    report(
        capsys, cloud, requests, f"{sum(max(0, count) for count in again):,} of {POINTS * clean:,} bytes sent"
    )


@pytest.mark.whole_runs
def test_a_download_that_is_broken_at_random_points_ends_with_the_same_digest(
    cloud: SharedPlace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    proxy, a = cloud.failing, Machine(tmp_path / "a", cloud.url)
    record = a.make(files(0))
    a.remote().push(record)
    counts = []
    for home in "bcd":  # A busy machine may have tried something again.
        remote = Machine(tmp_path / home, cloud.url).remote()
        proxy.arm(None)
        remote.fetch(record.stage, record.key)
        counts.append(len(proxy.requests))
    requests, clean = min(counts), proxy.received
    again = []
    for number, fault in enumerate(random_faults(requests)):
        silence = fault.kind in ("hang", "stall_answer")
        home, visible = Machine(tmp_path / f"c{number}", cloud.url), []
        patient, impatient = home.remote(), replace(home, timeout_s=IMPATIENT).remote()
        proxy.arm(fault, watch=lambda home=home, seen=visible: seen.append(home.here(record)))
        try:
            found = (impatient if silence else patient).fetch(record.stage, record.key).record
        except StoreUnreachable:
            assert silence, fault
            found = patient.fetch(record.stage, record.key).record
        assert proxy.hits.acquire(blocking=False), fault
        assert set(visible) == {None}  # The record is written after the last byte has come.
        assert found is not None
        assert found.digest == record.digest
        assert home.store.find(record.stage, record.key, full=True).record == found
        again.append(proxy.received - clean)
        assert silence or again[-1] <= PART + SMALL, fault
    report(capsys, cloud, requests, f"{sum(max(0, n) for n in again):,} of {POINTS * clean:,} bytes received")


def report(capsys: pytest.CaptureFixture[str], cloud: SharedPlace, requests: int, again: str) -> None:
    with capsys.disabled():
        print(f"\n{cloud.url[:2]}: {POINTS} faults, each in one of {requests} requests; {again} again")


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


@contextmanager
def push_apart(machine: Machine) -> Iterator[None]:
    """A process that uploads; it is killed at the end of the block."""
    program = (
        "import sys; from pathlib import Path; from tests.infra.store.shared.machines import Machine\n"
        "machine = Machine(Path(sys.argv[1]), sys.argv[2])\n"
        "machine.remote().push(next(machine.store.records()))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(machine.home), machine.url], env=os.environ.copy()
    )
    try:
        yield
    finally:
        process.kill()
        process.wait()


def test_a_killed_upload_goes_on_with_the_parts_that_are_missing(cloud: SharedPlace, tmp_path: Path) -> None:
    """Parts one to four have arrived and been confirmed when the next four, sent side by side, meet with silence."""
    proxy, a = cloud.failing, Machine(tmp_path / "a", cloud.url)
    record = a.make({"model.bin": PATTERN * 2_900_000})  # 46.4 MB: nine parts
    proxy.arm(Fault(at=4, kind="hang", only=BYTES[cloud.url[:2]], onward=True))
    with push_apart(a):
        for _ in range(PARALLEL):
            proxy.hits.acquire()
    assert Machine(tmp_path / "b", cloud.url).find(record) is None
    remote = a.remote()
    proxy.arm(None)
    sent = remote.push(record)
    assert sent.size - sent.sent == 4 * PART
    assert sent.sent <= proxy.sent < sent.sent + SMALL
    assert Machine(tmp_path / "b", cloud.url).find(record) is not None


def test_parts_of_other_bytes_are_not_used(cloud: SharedPlace, tmp_path: Path) -> None:
    """Of the right size, under the right name: S3's are told by their checksums, Cloud Storage's by the whole's."""
    a = Machine(tmp_path / "a", cloud.url)
    objects = a.remote().objects
    (tmp_path / "wrong").write_bytes(b"x" * PART)
    (tmp_path / "right").write_bytes(b"y" * (PART + 1))
    if cloud.url.startswith("gs:"):
        objects.send(tmp_path / "wrong", "folder/model.bin.part-1-of-2")
        with pytest.raises(StoreError, match="sent again next time"):
            objects.send(tmp_path / "right", "folder/model.bin")
    else:
        cloud.failing.arm(Fault(0, "status", status=403, only="^POST .*uploadId="))
        (tmp_path / "other").write_bytes(b"x" * (PART + 1))
        with pytest.raises(StoreError):
            objects.send(tmp_path / "other", "folder/model.bin")
    assert objects.send(tmp_path / "right", "folder/model.bin") == PART + 1
    assert objects.sizes("folder") == {"model.bin": PART + 1}
    assert objects.read_range("folder/model.bin", PART - 1, PART + 1) == b"yy"


@pytest.mark.parametrize("status", [404, 410])
def test_an_upload_session_that_has_ended_is_begun_anew(
    cloud_storage: SharedPlace, tmp_path: Path, status: int
) -> None:
    cloud, a = cloud_storage, Machine(tmp_path / "a", cloud_storage.url)
    record, remote = a.make({"word.txt": "one"}), a.remote()
    cloud.failing.arm(Fault(0, "status", status=status, only=BYTES["gs"]))
    remote.push(record)
    assert cloud.failing.hits.acquire(blocking=False)
    assert remote.holds(record)


def test_an_upload_that_fails_is_said_and_made_up_for_at_the_next_hit(
    cloud: SharedPlace, tmp_path: Path
) -> None:
    proxy, a = cloud.failing, Machine(tmp_path / "a", cloud.url)
    record = a.make({"word.txt": "one"})
    proxy.arm(Fault(at=1, kind="status", status=403, onward=True))
    a.sharing().share(record)
    assert "is not in the shared store" in a.said
    assert "artifacts push" in a.said
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
    proxy.arm(Fault(0, "cut_request", share=0.5, only=BYTES[cloud.url[:2]]))
    remote.objects.send(tmp_path / "file", "file")
    assert 1_500_000 <= proxy.sent <= 1_502_000
