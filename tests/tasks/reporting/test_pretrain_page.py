"""The page of a run that pre-trains: whether it is better than counting, its figures, names from data as text."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from tasks.formats.published_model import PublishedModel
from tasks.reporting.html import LANGUAGE_MODELS, render_report
from tasks.reporting.html import Page as Told
from tasks.reporting.pretrain_page import bits_table, pretrain_headline, pretrain_section
from tasks.reporting.pretrain_summary import Pretrained, PretrainSummary, pretrained, read_pretrained
from tasks.reporting.pretrain_table import print_pretrained
from tasks.reporting.summary import StageSummary, schema_text
from tests.conftest import ROOT
from tests.tasks import pretrained as made
from tests.tasks.reporting.test_html import Page

SCHEMA = ROOT / "docs" / "pretrain-report.schema.json"
MARKUP = "<script>alert('from a repository')</script>"
PUBLISHED = PublishedModel(
    repo="local/code-gpt", revision="94f113a0c2de4b5f", path="/home/hub/models/code-gpt"
)
TOKENIZER = PublishedModel(repo="local/code-tokenizer", revision="0c0ffee0c0ffee0c", path="/home/hub/t")
SPEED = {"tokens_per_second": 14_000.0, "utilisation": 0.41, "train_loss": 2.0}
CORPUS = (made.corpus(), made.curation(), made.packed())


def found(
    model: float = 1.1, static: float = 1.6, cached: float = 1.2, parts: tuple[str, ...] = made.PARTS
) -> Pretrained:
    return pretrained(
        "artifact:pretrain/ed4a2840", CORPUS, made.tokenizer(), made.evaluation(model, parts),
        made.ngrams(static, cached, parts), made.completions(), made.memorised(), SPEED,
    )  # fmt: skip


def run_of(told: Pretrained) -> PretrainSummary:
    stages = tuple(
        StageSummary(name=name, state="computed", seconds=1.0, key=name, digest=name)
        for name in ("pack_corpus", "pretrain")
    )
    return PretrainSummary(
        flow="pretrain", pretrain=told, published=PUBLISHED, published_tokenizer=TOKENIZER, stages=stages,
        seconds=1_261.0, report="/home/reports/1/report.html",
    )  # fmt: skip


def page_of(told: Pretrained, folder: Path) -> str:
    before = (pretrain_section(told, PUBLISHED, TOKENIZER),)
    page = Told("pretrain", run_of(told), pretrain_headline(told), before, styles=LANGUAGE_MODELS)
    return render_report(page, folder / "report.html").read_text(encoding="utf-8")


def test_a_run_is_put_together_from_its_stages_folders(tmp_path: Path) -> None:
    folders = made.write_reports(tmp_path)
    curves = {name: [(20, value / 2), (40, value), (60, value * 3)] for name, value in SPEED.items()}
    told = read_pretrained("artifact:pretrain/ed4a2840", folders, {**curves, "empty": []})
    assert told == found()
    corpus, bits, tokens = told.corpus, told.bits_per_byte, told.tokenizer.tokens_per_byte
    assert (corpus.files, corpus.bytes, corpus.decontaminated) == (20_500, 141_000_000, 7)
    assert (corpus.held_out, corpus.tokens) == (made.REPOSITORIES, 36_500_000)
    assert bits.files == pytest.approx(1.0) and bits.mean == pytest.approx(1.1)
    assert bits.repositories == pytest.approx({"org/unseen": 1.15, "org/other": 1.05})
    assert (told.ngram.static, told.ngram.cached) == pytest.approx((1.6, 1.2))
    assert tokens == {"ours": pytest.approx(0.3), "gpt2": pytest.approx(0.5)}
    assert told.tokenizer.keywords_missing == ("nonlocal",)
    assert (told.completions.parsed, told.completions.distinct, told.parameters) == (0.55, 0.97, 5_322_240)


def test_a_tokenizer_that_was_compared_with_none_has_no_figure_beside_it() -> None:
    told = pretrained(
        "artifact:pretrain/1", CORPUS, made.tokenizer(reference=False), made.evaluation(), made.ngrams(),
        made.completions(), made.memorised(), {},
    )  # fmt: skip
    assert told.tokenizer.tokens_per_byte == {"ours": pytest.approx(0.3), "gpt2": None}
    assert (told.tokens_per_second, told.utilisation) == (0.0, 0.0)


def test_the_page_says_what_came_of_it_first(tmp_path: Path) -> None:
    page = Page(page_of(found(), tmp_path))
    for text in (
        "Better than 5-grams, with a cache too", "1.100 bits a byte on org/unseen, org/other, of which nothing was read",
        "1.600 by 5-grams of the same 36,500,000 tokens", "1.200 where they remember the file that they read",
        "31% below 5-grams", "of 200 completions, 97% of them different", "5.3 M", "8,192 tokens", "14,000", "41% of what",
        "mean of unseen repositories", "1.150", "1.050", "artifact:pretrain/ed4a2840", "local/code-gpt",
        "revision 94f113a0c2de", "local/code-tokenizer", "revision 0c0ffee0c0ff", "fresh weights", "0.970",
    ):  # fmt: skip
        assert text in page.text, text
    titles = [data["id"] for tag, data in page.tags if tag == "section"]
    assert titles[0] == "part-1" and "times" in titles


@pytest.mark.parametrize(
    ("model", "verdict", "mark", "bad"),
    [
        (1.1, "Better than 5-grams, with a cache too", "pass", False),
        (1.3, "Better than 5-grams, not than those with a cache", "unsure", False),
        (1.2, "Better than 5-grams, not than those with a cache", "unsure", False),
        (1.6, "No better than counting", "fail", True),
        (2.0, "No better than counting", "fail", True),
        (float("inf"), "No better than counting", "fail", True),
    ],
)
def test_what_is_not_better_is_not_called_so(
    model: float, verdict: str, mark: str, bad: bool, tmp_path: Path
) -> None:
    told = found(model)
    headline = pretrain_headline(told)
    assert (headline.verdict, headline.mark, headline.tiles[0].bad) == (verdict, mark, bad)
    assert not any(tile.bad for tile in headline.tiles[1:]) and "nan" not in page_of(told, tmp_path)


def test_where_no_repository_is_held_out_the_files_are_the_figure() -> None:
    told = found(1.1, parts=("files",))
    headline = pretrain_headline(told)
    assert headline.mark == "pass" and headline.tiles[0].figure == "1.100"
    assert headline.lead.startswith("1.100 bits a byte on files that were set aside; 1.600 by 5-grams")
    assert [row["text"] for row in bits_table(told).rows] == ["files"]


def test_where_nothing_is_held_out_nothing_is_claimed() -> None:
    headline = pretrain_headline(found(parts=()))
    assert (headline.verdict, headline.mark, headline.tiles) == ("Not measured", "unsure", ())


def test_how_far_it_is_from_counting_is_said_either_way() -> None:
    hints = [pretrain_headline(found(model)).tiles[0].hint for model in (1.2, 2.0)]
    assert hints == ["25% below 5-grams", "25% above 5-grams"]


def test_where_only_repositories_are_held_out_there_is_no_row_of_files() -> None:
    table = bits_table(found(parts=made.REPOSITORIES))
    assert [row["text"] for row in table.rows] == [*made.REPOSITORIES, "mean of unseen repositories"]
    assert table.rows[-1] == {
        "text": "mean of unseen repositories", "static": pytest.approx(1.6), "cached": pytest.approx(1.2),
        "model": pytest.approx(1.1),
    }  # fmt: skip


def test_names_of_repositories_stay_text(tmp_path: Path) -> None:
    page = Page(page_of(found(parts=("files", MARKUP)), tmp_path))
    assert "script" not in {tag for tag, _ in page.tags} and page.text.count(MARKUP) == 2


def test_the_terminal_has_the_same_table_and_what_to_do_next() -> None:
    console = Console(file=io.StringIO(), width=110)
    print_pretrained(run_of(found()), console)
    assert isinstance(console.file, io.StringIO)
    printed = console.file.getvalue()
    for text in (
        "org/unseen", "1.150", "1.600", "Better than 5-grams, with a cache too", "55% of 200 completions",
        "14,000 tokens a second", "5,322,240 parameters", "local/code-gpt at 94f113a0c2de",
        "stillhouse complete artifact:pretrain/ed4a2840",
        "/home/reports/1/report.html",
    ):  # fmt: skip
        assert text in " ".join(printed.split()), text


def test_the_committed_schema_is_current() -> None:
    remedy = "run .venv/bin/python -m tasks.reporting.pretrain_summary > docs/pretrain-report.schema.json"
    assert SCHEMA.read_text(encoding="utf-8").rstrip() == schema_text(PretrainSummary), remedy
