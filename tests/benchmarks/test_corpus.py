"""The peers' rules are ours, each corpus of the memory's measurement has no copies, and the table says who is faster."""

import pytest

from tasks.data.curation.code.judge import judge
from tasks.data.curation.config import CurateCodeConfig
from tests.benchmarks.corpus import DATASETS, SAME, described, rules
from tests.benchmarks.corpus_memory import renamed
from tests.benchmarks.plain_filters import PlainFilters
from tests.tasks.data.curation.code.sources import source

CONFIG = CurateCodeConfig(near_duplicate_threshold=None)
TEXTS = (
    source("plain"),
    f"# By a.b@example.org, {'ghp_' + 'a1B2' * 9}\n{source('secret')}",
    "\ufeff" + source("mark"),
    " \n",
    "print 'two'\n",
    "# DO NOT EDIT\nx = 1\n",
    f"x = '{'word ' * 250}'\n",
    "[[], (), {}, [()]]\n" * 20,
    "\n".join(f"row_{i} = ({i}, {i * 7919}, 0x{i:08x}, {i}.25e3)" for i in range(9)),
    "def f(a,b):\n if a:return b\n c=a+b;d=c*b;e=d-a;g=e*e;return[c,d,e,g,a,b]\n" * 9,
    source("matrix") + "z = w@x.mean\n",
)


@pytest.mark.parametrize("text", TEXTS)
def test_a_peer_keeps_and_replaces_what_ours_does(text: str) -> None:
    (ours,) = judge(CONFIG, [text])
    assert PlainFilters(rules(CONFIG))(text) == (None if ours.refused else ours.text)


def test_names_are_renamed_and_the_file_still_parses() -> None:
    text = "def first(second: int) -> str:\n    return second if second else 'text'\n"
    assert (
        renamed(text, 3)
        == "def first_3(second_3: int_3) -> str_3:\n    return second_3 if second_3 else 'text'\n"
    )


def test_a_ratio_is_taken_round_by_round() -> None:
    text = described({DATASETS: [1.0, 2.0], SAME: [4.0, 6.0]})
    assert "| datasets | 1.50 (1.00 to 2.00) | 3.50 (3.00 to 4.00) |" in text
