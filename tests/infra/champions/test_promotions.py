"""The history of champions: appended to only, whole after a kill, and the way back."""

import json
import os
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.champions.promotions import Champion, Promotion, Promotions, champions
from infra.errors import HubError
from infra.hub.local import LocalHub
from infra.hub.protocol import JOURNAL

REPO = "local/intents"


@pytest.fixture
def promotions(tmp_path: Path) -> Promotions:
    return Promotions(LocalHub(tmp_path / "hub"), REPO)


def publish(promotions: Promotions, word: str, package: str | None = None) -> Champion:
    """A published revision that is not `main`."""
    folder = promotions.hub.root.parent / "made" / word
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model").write_text(word)
    pushed = promotions.hub.push("model", REPO, folder, word, main=False)
    return Champion(revision=pushed.revision, package=package or f"package of {word}")


def release(promotions: Promotions, word: str, package: str | None = None) -> Champion:
    champion = publish(promotions, word, package)
    promotions.promote(champion, "pass", f"{word} is good")
    return champion


def roll_back(promotions: Promotions, reason: str = "") -> None:
    promotions.roll_back(promotions.next_rollback(reason))


def history(promotions: Promotions) -> Path:
    return promotions.hub.home("model", REPO) / JOURNAL


def main_of(promotions: Promotions) -> str:
    return (promotions.hub.resolve("model", REPO) / "model").read_text()


def test_each_champion_is_a_line_and_main_follows(promotions: Promotions) -> None:
    assert promotions.champion() is None and promotions.lines() == ()
    first = release(promotions, "one")
    second = release(promotions, "two")
    assert main_of(promotions) == "two" and promotions.champion() == second
    told = [json.loads(line) for line in history(promotions).read_text().splitlines()]
    assert [(line["action"], line["verdict"], line["reason"]) for line in told] == [
        ("promote", "pass", "one is good"), ("promote", "pass", "two is good")]  # fmt: skip
    assert told[0]["from"] is None and told[1]["from"] == told[0]["to"] == first.model_dump()


def test_the_champion_promoted_again_is_no_line(promotions: Promotions) -> None:
    release(promotions, "one")
    before = history(promotions).read_bytes()
    release(promotions, "one")
    assert history(promotions).read_bytes() == before


def test_a_rollback_is_a_line_of_its_own_and_rewrites_nothing(promotions: Promotions) -> None:
    first, second = release(promotions, "one"), release(promotions, "two")
    before = history(promotions).read_bytes()
    roll_back(promotions, "two calls every query a\u2028transfer")
    assert main_of(promotions) == "one"
    assert history(promotions).read_bytes().startswith(before)
    last = promotions.lines()[-1]
    assert (last.action, last.before, last.after) == ("rollback", second, first)
    assert last.reason == "two calls every query a\u2028transfer" and last.verdict is None


def test_rollbacks_go_back_one_by_one_and_then_refuse(promotions: Promotions) -> None:
    for word in ("one", "two", "three"):
        release(promotions, word)
    roll_back(promotions)
    release(promotions, "four")
    seen = [main_of(promotions)]
    for _ in range(2):
        roll_back(promotions)
        seen.append(main_of(promotions))
    assert seen == ["four", "two", "one"]
    before = history(promotions).read_bytes()
    with pytest.raises(
        HubError, match=r"no champion to go back to.* found only [0-9a-f]{12}.*Nothing was changed"
    ):
        roll_back(promotions)
    assert history(promotions).read_bytes() == before and main_of(promotions) == "one"


def test_a_model_that_was_never_released_cannot_be_rolled_back(promotions: Promotions) -> None:
    with pytest.raises(HubError, match="found none, expected two"):
        promotions.next_rollback("")
    assert not promotions.hub.root.exists()


def test_a_new_card_of_the_same_model_is_no_other_champion(promotions: Promotions) -> None:
    release(promotions, "model", package="P")
    release(promotions, "model with another card", package="P")
    with pytest.raises(HubError, match="no champion to go back to"):
        promotions.next_rollback("")
    release(promotions, "next")
    roll_back(promotions)
    assert main_of(promotions) == "model with another card"


def test_what_a_rollback_took_down_is_known_until_it_is_promoted_again(promotions: Promotions) -> None:
    first, second = release(promotions, "one"), release(promotions, "two")
    assert promotions.taken_down(str(second.package)) is None
    roll_back(promotions, "too slow")
    down = promotions.taken_down(str(second.package))
    assert down is not None and down.reason == "too slow"
    assert promotions.taken_down(str(first.package)) is None
    release(promotions, "three")
    assert promotions.taken_down(str(second.package)) == down
    assert not promotions.promote(second, "pass", "not asked for")
    assert main_of(promotions) == "three" and promotions.taken_down(str(second.package)) == down
    assert promotions.promote(second, "pass", "asked for", again=True)
    assert promotions.taken_down(str(second.package)) is None


def test_a_repository_from_before_the_history_keeps_its_champion(promotions: Promotions) -> None:
    folder = promotions.hub.root.parent / "old"
    folder.mkdir()
    (folder / "model").write_text("old")
    old = Champion(revision=promotions.hub.push("model", REPO, folder, "").revision, package="old package")
    promotions.promote(publish(promotions, "new"), "pass", "", unrecorded=old)
    roll_back(promotions)
    assert main_of(promotions) == "old" and promotions.champion() == old


def test_a_champion_whose_files_are_damaged_is_not_gone_back_to(promotions: Promotions) -> None:
    first = release(promotions, "one")
    release(promotions, "two")
    (promotions.hub.home("model", REPO) / "snapshots" / first.revision / "model").write_text("broken")
    with pytest.raises(HubError, match=r"no longer whole.*Nothing was changed"):
        promotions.next_rollback("")


def test_a_rollback_that_was_killed_before_main_moved_is_finished_and_not_repeated(
    promotions: Promotions,
) -> None:
    for word in ("one", "two", "three"):
        release(promotions, word)
    third = promotions.hub.main("model", REPO)
    roll_back(promotions)
    with promotions.hub.locked("model", REPO):
        promotions.hub.set_main("model", REPO, str(third))  # as it was between the line and the move
    lines = promotions.lines()
    roll_back(promotions)
    assert main_of(promotions) == "two" and promotions.lines() == lines


def test_a_release_that_was_killed_before_main_moved_is_finished(promotions: Promotions) -> None:
    first = release(promotions, "one")
    release(promotions, "two")
    with promotions.hub.locked("model", REPO):
        promotions.hub.set_main("model", REPO, first.revision)
    release(promotions, "two")
    assert main_of(promotions) == "two" and len(promotions.lines()) == 2


def test_a_champion_that_changed_meanwhile_is_not_rolled_back(promotions: Promotions) -> None:
    release(promotions, "one")
    release(promotions, "two")
    planned = promotions.next_rollback("")
    release(promotions, "three")
    with pytest.raises(HubError, match="another champion by now"):
        promotions.roll_back(planned)
    assert main_of(promotions) == "three" and len(promotions.lines()) == 3


def test_a_line_that_was_cut_short_never_counted(promotions: Promotions) -> None:
    release(promotions, "one")
    whole = history(promotions).read_bytes()
    with history(promotions).open("ab") as file:
        file.write('{"time": "2026-11-21T15:00:00+00:00", "action": "ä'.encode()[:-1])
    assert len(promotions.lines()) == 1
    release(promotions, "two")
    assert history(promotions).read_bytes().startswith(whole) and len(promotions.lines()) == 2


def test_a_damaged_line_is_said_by_its_number(promotions: Promotions) -> None:
    release(promotions, "one")
    release(promotions, "two")
    text = history(promotions).read_text().splitlines(keepends=True)
    history(promotions).write_text(text[0].replace("promote", "demote") + text[1])
    with pytest.raises(HubError, match=r"line 1 of .*promotions\.jsonl is no promotion"):
        promotions.lines()


SCRIPT = """
import sys
from pathlib import Path
from infra.hub.local import LocalHub
from infra.champions.promotions import Champion, Promotions
promotions = Promotions(LocalHub(Path(sys.argv[1])), sys.argv[2])
first, second = (Champion(revision=revision, package=revision) for revision in sys.argv[4:6])
print("ready", flush=True)
for number in range(int(sys.argv[3])):
    promotions.promote(first if number % 2 else second, "pass", f"{number}")
"""


def promoting(promotions: Promotions, times: int) -> subprocess.Popen[bytes]:
    """A process that promotes two revisions in turn."""
    words = [publish(promotions, word).revision for word in ("one", "two")]
    arguments = [str(promotions.hub.root), REPO, str(times), *words]
    child = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, *arguments], stdout=subprocess.PIPE, cwd=Path.cwd()
    )
    assert child.stdout is not None and child.stdout.readline() == b"ready\n"
    return child


@pytest.mark.parametrize("delay", [0.0, 0.03, 0.15])
def test_a_process_killed_anywhere_leaves_the_history_whole(promotions: Promotions, delay: float) -> None:
    child = promoting(promotions, 100_000)
    time.sleep(delay)
    os.kill(child.pid, signal.SIGKILL)
    child.communicate()
    lines = promotions.lines()
    assert [line.reason for line in lines] == [str(number) for number in range(len(lines))]
    assert promotions.hub.main("model", REPO) in {None, *(line.after.revision for line in lines[-2:])}
    release(promotions, "three")
    assert len(promotions.lines()) == len(lines) + 1 and main_of(promotions) == "three"


def test_two_processes_at_once_lose_no_line(promotions: Promotions) -> None:
    children = [promoting(promotions, 60) for _ in range(2)]
    for child in children:
        child.communicate(timeout=400)
    lines = promotions.lines()
    assert all(after.before == before.after for before, after in pairwise(lines))
    assert promotions.hub.main("model", REPO) == lines[-1].after.revision


@given(st.lists(st.sampled_from(["a", "b", "c", "back"]), max_size=12))
def test_the_order_of_succession_is_a_stack(done: list[str]) -> None:
    stack: list[str] = []
    lines: list[Promotion] = []
    for word in done:
        before = Champion(revision=stack[-1], package=stack[-1]) if stack else None
        if word == "back" and len(stack) > 1:
            stack.pop()
        elif word != "back" and stack[-1:] != [word]:
            stack.append(word)
        else:
            continue
        action = "rollback" if word == "back" else "promote"
        after = Champion(revision=stack[-1], package=stack[-1])
        lines.append(Promotion(time="", action=action, before=before, after=after))  # type: ignore[arg-type]
    assert [champion.revision for champion in champions(tuple(lines))] == stack
