"""The tag that lists what was cached: complete where it can be, and always JSON that fits."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.settings import Settings
from infra.store.artifacts import Store
from infra.store.record import Record
from infra.tracking.hits import FILE, ROOM, Hit, Hits, as_json, as_tag
from tests.infra.artifacts import make_artifact

NAMES = st.text("abcdefghijklmnopqrstuvwxyz_", min_size=1, max_size=60)
HITS = st.builds(
    Hit,
    NAMES,
    st.text("0123456789abcdef", min_size=12, max_size=12),
    st.none() | st.uuids().map(lambda u: u.hex),
)


@given(st.lists(HITS, max_size=300))
def test_the_tag_has_the_first_hits_and_counts_the_rest(hits: list[Hit]) -> None:
    tag = as_tag(hits)
    assert len(tag) <= ROOM
    entries = json.loads(tag)
    if len(as_json(hits)) <= ROOM:
        assert tag == as_json(hits)
        return
    *shown, last = entries
    assert last == {"more": len(hits) - len(shown), "file": FILE}
    assert shown == json.loads(as_json(hits))[: len(shown)]
    assert len(shown) > 20


@pytest.fixture
def served(tmp_path: Path) -> Record:
    return make_artifact(Store(Settings(home=tmp_path)), "curate", {"rows": "rows"})


@pytest.fixture
def lost(tmp_path: Path) -> Record:
    return make_artifact(Store(Settings(home=tmp_path)), "train", {"weights": "weights"})


def test_a_stage_that_is_asked_for_twice_is_one_hit(served: Record) -> None:
    hits = Hits()
    hits.note("run", served)
    hits.note("run", served)
    assert hits.take("run") == [Hit("curate", served.key[:12], "run-of-curate")]
    assert hits.take("run") == []


def test_what_had_to_be_computed_after_all_is_no_hit(served: Record, lost: Record) -> None:
    hits = Hits()
    for record in (served, lost):
        hits.note("run", record)
    hits.forget(lost.key)
    assert [hit.stage for hit in hits.take("run")] == ["curate"]


def test_hits_are_those_of_their_own_run(served: Record, lost: Record) -> None:
    hits = Hits()
    hits.note("trial 1", served)
    hits.note("trial 2", lost)
    assert [hit.stage for hit in hits.take("trial 2")] == ["train"]
