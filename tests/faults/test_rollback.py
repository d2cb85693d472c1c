"""One truth and one order: the journal, `main`, MLflow's alias. What is refused has changed nothing; what a kill left
undone is done by who comes next; the bytes that the registry holds are those that were released.
"""

import ctypes
import json
import os
import threading
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from infra.champions.promotions import Champion, Promotions
from infra.cli.command import main
from infra.hub.local import LocalHub
from tests.faults.heard import heard

pytestmark = pytest.mark.slow  # programs, servers or tables of keys, each in a process of its own

REPO, NAME = "local/intents", "local-intents"
IN_OPEN = 0x20


def published(promotions: Promotions, word: str) -> Champion:
    """A revision on the Hub that is not `main`, and its version in MLflow's registry."""
    folder = promotions.hub.root.parent / "made" / word
    folder.mkdir(parents=True)
    (folder / "model").write_text(word)
    pushed = promotions.hub.push("model", REPO, folder, word, main=False)
    return Champion(revision=pushed.revision, package=f"package of {word}")


class Released:
    """Three models, the third champion; the registry agrees."""

    def __init__(self, home: Path) -> None:
        self.promotions = Promotions(LocalHub(home / "hub"), REPO)
        self.client = MlflowClient(f"sqlite:///{home / 'mlflow' / 'mlflow.db'}")
        self.client.create_registered_model(NAME)
        for word in ("one", "two", "three"):
            champion = published(self.promotions, word)
            self.promotions.promote(champion, "pass", word)
            tags = {"digest": str(champion.package), "hub_revision": champion.revision}
            version = self.client.create_model_version(NAME, f"file:///nowhere/{word}", tags=tags)
            self.client.set_registered_model_alias(NAME, "champion", version.version)

    def alias(self) -> str:
        return str(self.client.get_model_version_by_alias(NAME, "champion").version)

    def main(self) -> str:
        return (self.promotions.hub.resolve("model", REPO) / "model").read_text()


@pytest.fixture
def released(tracked_home: Path) -> Released:
    return Released(tracked_home)


def opened_again(path: Path) -> None:
    """Return when somebody opens a file: here, who waits for a lock."""
    libc = ctypes.CDLL(None, use_errno=True)
    watch = libc.inotify_init()
    try:
        assert libc.inotify_add_watch(watch, os.fsencode(path), IN_OPEN) >= 0
        os.read(watch, 4096)
    finally:
        os.close(watch)


def test_a_rollback_that_is_refused_has_changed_nothing(
    released: Released, capsys: pytest.CaptureFixture[str]
) -> None:
    hub, promotions, codes = released.promotions.hub, released.promotions, []
    fourth = published(promotions, "four")
    with hub.locked("model", REPO) as folder:
        text = hub.journal("model", REPO)
        rollback = threading.Thread(target=lambda: codes.append(main(["models", "rollback", REPO])))
        rollback.start()
        opened_again(folder / ".lock")  # It has made its plan, and waits to do it.
        line = json.loads(text.splitlines()[-1])
        line |= {"from": line["to"], "to": fourth.model_dump(), "reason": "another run"}
        hub.set_main("model", REPO, fourth.revision, json.dumps(line).encode() + b"\n", text)
    rollback.join()
    said = capsys.readouterr().err.replace("\n", " ")
    assert codes == [2] and "Nothing was changed" in said
    assert released.main() == "four"
    assert released.alias() == "3"  # as the registry was before


def test_a_rollback_that_was_killed_before_the_alias_moved_is_finished_and_not_repeated(
    released: Released,
) -> None:
    released.promotions.roll_back(released.promotions.next_rollback(""))
    assert (released.main(), released.alias()) == ("two", "3")
    lines = released.promotions.lines()
    assert main(["models", "rollback", REPO]) == 0
    assert (released.main(), released.alias()) == ("two", "2")
    assert released.promotions.lines() == lines


def test_the_list_of_promotions_lets_the_alias_follow(
    released: Released, capsys: pytest.CaptureFixture[str]
) -> None:
    released.promotions.roll_back(released.promotions.next_rollback(""))
    assert main(["models", "history", REPO]) == 0
    assert released.alias() == "2"
    assert f"{NAME} version 2 is champion" in capsys.readouterr().out


def test_the_list_of_promotions_lets_main_follow(released: Released) -> None:
    third = released.promotions.hub.main("model", REPO)
    released.promotions.roll_back(released.promotions.next_rollback(""))
    with released.promotions.hub.locked("model", REPO):
        released.promotions.hub.set_main("model", REPO, str(third))  # as it was between line and move
    assert main(["models", "history", REPO]) == 0
    assert (released.main(), released.alias()) == ("two", "2")


@pytest.mark.parametrize("mended_by", ["the next release", "the list of promotions"])
def test_a_registered_release_that_was_damaged_is_said_and_registered_anew(
    mended_by: str, tracked_home: Path, prefect_server: None,
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    from tests.tasks.reporting.run import RunConfig, tiny_release

    record = tiny_release(RunConfig())
    models = tracked_home / "mlflow" / "artifacts" / "models"
    (copy,) = models.rglob("model_quantized.onnx")
    whole = copy.read_bytes()
    copy.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))

    with heard() as lines:
        if mended_by == "the next release":
            tiny_release(RunConfig())
        else:
            assert main(["models", "history", "local/tiny"]) == 0
    assert len([line for line in lines if "was damaged" in line]) == 1
    client = MlflowClient(f"sqlite:///{tracked_home / 'mlflow' / 'mlflow.db'}")
    champion = client.get_model_version_by_alias("local-tiny", "champion")
    assert champion.version == client.get_model_version_by_alias("local-tiny", "challenger").version
    assert champion.tags["digest"] == record.package_digest
    files = Path(
        client.get_model_version_download_uri("local-tiny", champion.version).removeprefix("file://")
    )
    (registered,) = files.rglob("model_quantized.onnx")
    assert registered.read_bytes() == whole
