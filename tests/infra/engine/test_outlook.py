"""What a run says of what is still to come, from what the last run of its flow left."""

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.engine.outlook import Expected, Named, Outlook, about, outlook
from infra.engine.run import StageOutcome, open_run
from infra.settings import get_settings
from tests.infra.chain import ChainConfig, chain

LAST = tuple(
    Expected(name=name, label=label, seconds=seconds)
    for name, label, seconds in (
        ("extract", "", 60.0), ("train", "", 600.0), ("predict", "teacher", 120.0), ("predict", "student", 30.0),
    )
)  # fmt: skip
NAMES = st.builds(
    Named, st.sampled_from(["extract", "train", "predict", "prune"]), st.sampled_from(["", "a"])
)


def told(begins: str, done: Sequence[str] = (), beside: Sequence[tuple[str, float]] = ()) -> str:
    """What is said with the last run above; a stage with a label is `name: label`."""
    read = [Named(*name.split(": ")) for name in (begins, *done, *(name for name, _ in beside))]
    first, others = read[0], read[1:]
    elapsed = [seconds for _, seconds in beside]
    return outlook(first, LAST, others[: len(done)], list(zip(others[len(done) :], elapsed, strict=True)))


def test_the_first_stage_has_the_whole_run_before_it() -> None:
    assert told("extract") == "stage 1 of 4, about 14 min left"


def test_what_is_done_is_taken_off_a_hit_like_anything_else() -> None:
    assert told("predict: teacher", ["extract", "train"]) == "stage 3 of 4, about 2 min left"
    assert (
        told("predict: student", ["extract", "train", "predict: teacher"]) == "stage 4 of 4, about 30 s left"
    )


def test_of_what_runs_beside_it_what_is_left_counts() -> None:
    assert (
        told("predict: student", ["extract"], [("train", 540.0), ("predict: teacher", 200.0)])
        == "stage 4 of 4, about 2 min left"  # a minute of training, half a one of its own, nothing of what is late
    )


def test_without_a_last_run_there_is_neither_a_number_nor_a_time() -> None:
    assert outlook(Named("train"), (), [Named("extract")], []) == "stage 2"


def test_a_stage_that_the_last_run_did_not_have_is_told_without_what_follows() -> None:
    assert told("prune", ["extract", "train"]) == "stage 3"
    assert told("predict: teacher", ["extract", "train", "prune"]) == "stage 4 of 5, about 2 min left"


@given(last=st.lists(NAMES), run=st.lists(NAMES, min_size=1), beside=st.integers(0, 3))
def test_no_stage_is_beyond_the_last_one(last: list[Named], run: list[Named], beside: int) -> None:
    """A search may have more stages than last time, or others: it is never said to be at 21 of 20."""
    expected = [Expected(name=name, label=label, seconds=1.0) for name, label in last]
    for i, begins in enumerate(run):
        done, running = run[: max(i - beside, 0)], run[max(i - beside, 0) : i]
        said = outlook(begins, expected, done, [(one, 0.5) for one in running])
        number, *total = map(int, re.findall(r"\d+", said.split(",")[0]))
        assert number == i + 1
        assert not total or number <= total[0]


@given(st.lists(NAMES, min_size=1, unique=True))
def test_the_same_stages_again_count_up_to_their_number(run: list[Named]) -> None:
    expected = [Expected(name=name, label=label, seconds=3600.0) for name, label in run]
    for i, begins in enumerate(run):
        assert outlook(begins, expected, run[:i], []).startswith(f"stage {i + 1} of {len(run)}, about")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "a few seconds"), (44, "about 40 s"), (89, "about 90 s"), (90, "about 2 min"), (355, "about 6 min"),
     (5399, "about 90 min"), (5400, "about 1.5 h"), (36_000, "about 10.0 h")],
)  # fmt: skip
def test_times_are_as_coarse_as_they_are_sure(seconds: float, said: str) -> None:
    assert about(seconds) == said


def test_a_stage_that_ended_without_an_artifact_runs_beside_nothing(tmp_path: Path) -> None:
    kept = Outlook(tmp_path / "flow.json")
    for name in ("extract", "train"):
        kept.done(name, Expected(name=name, seconds=600.0))
    kept.keep()
    now = Outlook(tmp_path / "flow.json")
    assert now.begun("key", Named("extract")) == "stage 1 of 2, about 20 min left"
    now.ended("key")
    assert now.begun("other", Named("extract")) == "stage 1 of 2, about 20 min left"


@pytest.mark.parametrize("content", ["", "{", '[{"name": 1}]', "[]"])
def test_a_list_that_cannot_be_read_is_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "flow.json").write_text(content)
    assert Outlook(tmp_path / "flow.json").begun("key", Named("extract")) == "stage 1"


@pytest.mark.usefixtures("prefect_server", "tracked_home")
class TestRun:
    """Whole runs of a tiny flow."""

    def lines(self, capsys: pytest.CaptureFixture[str]) -> list[str]:
        return [" ".join(line.split()) for line in capsys.readouterr().err.splitlines() if "running" in line]

    def test_a_run_says_where_it_is_as_the_last_one_went(self, capsys: pytest.CaptureFixture[str]) -> None:
        chain(ChainConfig())
        assert self.lines(capsys) == ["running spell stage 1", "running repeat stage 2"]
        chain(ChainConfig(times=3))
        assert self.lines(capsys)[0] == "running spell stage 1 of 2, a few seconds left"
        shutil.rmtree(get_settings().artifacts / "repeat")
        chain(ChainConfig())  # spell is a hit: it is not said to begin, and counts
        assert self.lines(capsys) == ["running repeat stage 2 of 2, a few seconds left"]

    def test_seconds_of_a_hit_are_those_of_its_record(self) -> None:
        chain(ChainConfig(pause=0.3))
        chain(ChainConfig())
        kept = (get_settings().outlooks / "chain.json").read_text()
        assert all(float(seconds) > 0.3 for seconds in re.findall(r'"seconds":([\d.]+)', kept))

    def test_a_run_that_failed_leaves_what_the_last_one_left(self) -> None:
        chain(ChainConfig())
        before = (get_settings().outlooks / "chain.json").read_bytes()
        with pytest.raises(ValueError, match="failed"):
            chain(ChainConfig(word="other", fail_in="spell"))
        assert (get_settings().outlooks / "chain.json").read_bytes() == before

    def test_a_run_ends_well_where_its_list_cannot_be_written(
        self, tracked_home: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        (tracked_home / "outlooks").write_text("in the way")
        assert [outcome.state for outcome in chain(ChainConfig()).outcomes] == ["computed", "computed"]
        assert "the next run does not say how long it takes" in caplog.text

    def test_a_line_is_named_by_what_the_stage_is_called_on(self, capsys: pytest.CaptureFixture[str]) -> None:
        outcome = StageOutcome(
            name="predict", label="teacher", state="computed", seconds=1.5, key="k", digest="d" * 64
        )
        with open_run("chain", ChainConfig()) as run:
            run.begun("k", "predict", "teacher")
            run.show(outcome)
        said = capsys.readouterr().err
        assert "  running  predict: teacher     stage 1\n" in said
        assert f"  computed predict: teacher       1.5 s  {'d' * 12}\n" in said
