"""A shared store: what a hit carries, what a large file costs, what another machine gets, and who of a team may write."""

import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from shutil import rmtree
from threading import Barrier, BrokenBarrierError

import pytest

from infra.settings import Settings
from infra.store.artifacts import KEY_LENGTH, Store
from infra.store.record import PROVENANCE_FILE, Record
from infra.store.references import STORE_SCHEME, ArtifactRef
from infra.store.shared.folder import FolderObjects
from infra.store.shared.remote_store import RemoteStore
from infra.store.shared.sharing import Sharing, open_remote
from tests.infra.artifacts import make_artifact

PART_MIB = 5
ALICE, BOB, TEAM = 64_001, 64_002, 64_100
FILES = {"word.txt": "one", "sub/words.txt": "two"}
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: files of two other users are written")


@dataclass(frozen=True)
class Home:
    """A machine's home in front of a shared store."""

    folder: Path
    url: str
    lines: list[str] = field(default_factory=list)

    @property
    def settings(self) -> Settings:
        return Settings(home=self.folder, store=self.url, store_part_mib=PART_MIB, _env_file=None)

    @property
    def sharing(self) -> Sharing:
        return Sharing(self.settings, Store(self.settings), self.lines.append)

    def computed(self, files: dict[str, str], stage: str = "spell") -> Record:
        return make_artifact(Store(self.settings), stage, files)

    def place(self, record: Record) -> Path:
        return Store(self.settings).folder(record.stage, record.key)

    def path(self, record: Record) -> Path:
        """Where a stage of a new run reads it."""
        uri = f"{STORE_SCHEME}{record.stage}/{record.key[:KEY_LENGTH]}"
        return self.sharing.store.path(ArtifactRef(uri=uri, digest=record.digest))


@pytest.fixture
def homes(tmp_path: Path) -> tuple[Home, Home]:
    url = (tmp_path / "store").as_uri()
    return Home(tmp_path / "a", url), Home(tmp_path / "b", url)


def test_how_rows_were_come_by_reaches_the_other_machine(homes: tuple[Home, Home]) -> None:
    a, b = homes
    record = a.computed(FILES)
    (a.place(record) / PROVENANCE_FILE).write_text('{"sql": "SELECT 1"}')
    a.sharing.share(record)
    assert b.sharing.find(record.stage, record.key).record is not None
    brought = b.path(record) / PROVENANCE_FILE
    assert brought.is_file()
    assert brought.read_text() == '{"sql": "SELECT 1"}'


def test_a_hit_fetches_no_file_until_somebody_reads_it(homes: tuple[Home, Home]) -> None:
    a, b = homes
    record = a.computed(FILES)
    a.sharing.share(record)
    found = b.sharing.find(record.stage, record.key).record
    assert found is not None
    assert found.digest == record.digest
    assert not [name for name in FILES if (b.place(record) / name).exists()]
    assert {name: (b.path(record) / name).read_text() for name in FILES} == FILES


@dataclass(frozen=True)
class Meeting(FolderObjects):
    """A folder whose ranges are answered two by two, as long as two are asked for at a time."""

    both: Barrier = field(default_factory=lambda: Barrier(2))

    def read_range(self, name: str, start: int, end: int) -> bytes:
        try:
            self.both.wait(timeout=5)
        except BrokenBarrierError:
            return super().read_range(name, start, end)
        return super().read_range(name, start, end)


def test_a_large_file_comes_several_ranges_at_once(homes: tuple[Home, Home], tmp_path: Path) -> None:
    a, b = homes
    record = a.computed({"model.bin": "0123456789abcdef" * (4 * PART_MIB << 16)})
    a.sharing.share(record)
    objects = Meeting(tmp_path / "store")
    found = RemoteStore(b.settings, Store(b.settings), objects, b.url).fetch(record.stage, record.key)
    assert found.record is not None
    assert not objects.both.broken


@pytest.fixture
def team() -> Iterator[Path]:
    """A folder that everybody can reach, and in it one that a group shares."""
    place = Path(tempfile.mkdtemp(prefix="stillhouse-team-"))
    place.chmod(0o777)
    shared = place / "store"
    shared.mkdir()
    os.chown(shared, ALICE, TEAM)
    shared.chmod(0o2775)
    yield shared
    rmtree(place)


def as_user(uid: int, work: Callable[[], object], umask: int = 0o022) -> str:
    """What comes of `work` in a process of another user of the team: "done", or its error."""
    told, tell = os.pipe()
    child = os.fork()
    if not child:
        os.umask(umask)
        os.setgroups([TEAM])
        os.setgid(uid)
        os.setuid(uid)
        try:
            work()
            os.write(tell, b"done")
        except BaseException as error:
            os.write(tell, f"{type(error).__name__}: {error}".encode())
        finally:
            os._exit(0)
    os.close(tell)
    os.waitpid(child, 0)
    with os.fdopen(told, "rb") as answer:
        return answer.read().decode()


def push(home: Home, word: str) -> None:
    """As `stillhouse artifacts push` does it."""
    record = home.computed({"sub/word.txt": word}, "train_teacher")
    open_remote(home.settings, Store(home.settings)).push(record)


def warm(tmp_path: Path) -> None:
    """Everything is imported, and its threads have been, before another user forks off, who may not read it."""
    push(Home(tmp_path / "own", (tmp_path / "own store").as_uri()), "root")
    with ThreadPoolExecutor(1) as pool:
        pool.submit(os.getuid).result()


@as_root
@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_a_store_that_a_group_shares_takes_what_each_of_the_group_computes(
    team: Path, tmp_path: Path, umask: int
) -> None:
    warm(tmp_path)
    for uid, word in ((ALICE, "hers"), (BOB, "his")):
        home = Home(team.parent / str(uid), team.as_uri())
        assert as_user(uid, lambda home=home, word=word: push(home, word), umask) == "done"
    made = list(team.rglob("*"))
    assert {path.read_text() for path in team.rglob("word.txt")} == {"hers", "his"}
    assert {stat.filemode(path.stat().st_mode) for path in made} == {"drwxrwsr-x", "-rw-rw-r--"}
    assert {path.stat().st_gid for path in made} == {TEAM}


@as_root
def test_a_store_that_one_may_not_write_is_named_and_not_the_home(team: Path, tmp_path: Path) -> None:
    warm(tmp_path)
    team.chmod(0o755)
    said = as_user(BOB, lambda: push(Home(team.parent / "bob", team.as_uri()), "his"))
    assert said.startswith("StoreError: ")
    assert f"shared store {team}" in said
    assert "chmod" in said
    assert "STILLHOUSE_HOME" not in said
