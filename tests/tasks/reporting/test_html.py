"""The page: all in one file, nothing from data runs, and a real browser shows it without a complaint."""

import json
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from infra.errors import ArtifactError
from tasks.formats.gate_verdict import Verdict
from tasks.formats.section import Section
from tasks.reporting.html import LANGUAGE_MODELS, data_uri, render_report
from tasks.reporting.sections import labelled, page_section, told_apart
from tests.conftest import ROOT
from tests.tasks.reporting.page import CHAIN, MARKUP, page_of, run_summary
from tests.tasks.reporting.test_summary import PROMISED_STAGE

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
SCREENSHOTS = ROOT / "build" / "screenshots"


class Page(HTMLParser):
    """Tags with their attributes, and the text between them."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    return render_report(page_of(folder), folder / "report.html")


@pytest.fixture(scope="module")
def page(page_file: Path) -> Page:
    return Page(page_file.read_text(encoding="utf-8"))


def test_text_from_data_stays_text(page: Page) -> None:
    assert "script" not in {tag for tag, _ in page.tags}
    assert page.text.count(MARKUP) >= 2  # a label and an example hold it, and both show it


def test_nothing_is_fetched_from_elsewhere(page: Page, page_file: Path) -> None:
    loads = [
        (tag, attrs.get("src") or attrs.get("href") or "")
        for tag, attrs in page.tags
        if tag in ("img", "link")
    ]
    assert loads and all(address.startswith("data:") for _, address in loads)
    style = page_file.read_text().partition("<style>")[2].partition("</style>")[0]
    assert "url(" not in style and "@import" not in style
    policy = next(attrs["content"] for tag, attrs in page.tags if "http-equiv" in attrs)
    assert policy is not None and policy.startswith("default-src 'none'")


def test_a_sheet_of_figures_stands_in_the_pages_that_ask_for_it(page_file: Path, tmp_path: Path) -> None:
    asking = render_report(replace(page_of(tmp_path), styles=LANGUAGE_MODELS), tmp_path / "report.html")
    assert [".passage {" in path.read_text() for path in (page_file, asking)] == [False, True]


def test_stages_are_named_by_what_they_were_called_on_and_the_json_stays_as_it_is(tmp_path: Path) -> None:
    made = run_summary()
    first, *others = made.stages
    stages = (first.model_copy(update={"name": "predict", "label": "teacher"}), *others)
    summary = made.model_copy(update={"stages": stages})
    page = Page(render_report(page_of(tmp_path, summary=summary), tmp_path / "report.html").read_text())
    assert "predict: teacher" in page.text
    assert json.loads(summary.model_dump_json())["stages"][0].keys() == PROMISED_STAGE


def test_every_part_of_a_run_is_on_the_page_and_can_be_gone_to(page: Page) -> None:
    titles = ["Verdict", "Comparison", "Rows", "Data set", "Train teacher", "Evaluation", "Speed", "Gate"]
    ids = [attrs["id"] for tag, attrs in page.tags if tag == "section"]
    links = [
        str(attrs["href"]) for tag, attrs in page.tags if tag == "a" and str(attrs["href"]).startswith("#")
    ]
    assert links == [f"#{one}" for one in ids] and ids[-3:] == ["lineage", "times", "asked"]
    for text in (
        *titles,
        "Pass: released",
        "0.9130",
        "120",
        "near duplicates",
        "validation accuracy",
        "FROM `assistant.queries`",
    ):
        assert text in page.text, text
    for name in CHAIN:
        assert name in page.text
    assert sum(tag == "img" for tag, _ in page.tags) == 2
    assert "intent_148" in page.text and "temperature: 2.0" in page.text and "Intel(R) Xeon(R)" in page.text


@pytest.mark.parametrize(
    ("outcome", "headline"), [("fail", "Fail: not released"), ("needs_more_rows", "Needs more test rows")]
)
def test_a_model_that_is_not_released_says_so_first(tmp_path: Path, outcome: Verdict, headline: str) -> None:
    source = render_report(page_of(tmp_path, outcome), tmp_path / "report.html").read_text()
    assert headline in Page(source).text and "registered as challenger only" in Page(source).text
    assert ("9,200 test rows" in source) == (outcome == "needs_more_rows")


def test_a_baseline_that_wins_is_marked(tmp_path: Path) -> None:
    summary = run_summary()
    better = tuple(
        row.model_copy(update={"accuracy": 0.95}) if row.name == "tfidf" else row for row in summary.rows
    )
    page = page_of(tmp_path, summary=summary.model_copy(update={"rows": better}))
    assert "does not beat it" in render_report(page, tmp_path / "report.html").read_text()


def test_a_run_without_optional_parts_still_has_its_page(tmp_path: Path) -> None:
    summary = run_summary().model_copy(update={"gate": None, "record": None, "machine": {}})
    bare = replace(page_of(tmp_path, summary=summary), sections=(), lineage=(), config="", links={})
    assert "Comparison" in render_report(bare, tmp_path / "deep" / "report.html").read_text()


def test_the_same_run_gives_the_same_bytes(tmp_path: Path) -> None:
    page = page_of(tmp_path)
    first, second = (render_report(page, tmp_path / name).read_bytes() for name in ("a.html", "b.html"))
    assert first == second


def test_a_plot_of_an_unknown_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="PNG or SVG"):
        data_uri(tmp_path / "plot.pdf")


def test_a_stage_without_a_section_has_one_when_it_logged_a_curve() -> None:
    assert page_section("predict", None, None, {"once": [(0, 1.0)]}) is None
    shown = page_section("predict", None, None, {"loss": [(0, 1.0), (1, 0.5)]})
    assert shown is not None and shown.title == "Predict" and [one.title for one in shown.figures] == ["loss"]


def test_what_cannot_be_shown_is_said_in_its_place() -> None:
    shown = page_section("evaluate", None, "report.json is gone", {})
    assert shown is not None and shown.warnings == ("report.json is gone",)


def test_something_else_than_a_section_is_refused() -> None:
    with pytest.raises(TypeError, match="the section of evaluate is a dict: expected a Section"):
        page_section("evaluate", {}, None, {})


def test_two_artifacts_of_one_stage_are_told_apart() -> None:
    both = told_apart([("ab" * 32, Section(title="Student")), ("cd" * 32, Section(title="Student")),
                       ("ef" * 32, Section(title="Gate"))])  # fmt: skip
    assert [section.title for section in both] == ["Student abababab", "Student cdcdcdcd", "Gate"]


def test_a_section_says_what_the_flow_called_its_stage_on() -> None:
    plain = Section(title="Packed texts")
    assert labelled(None, "general") is None and labelled(plain, "") == plain
    named = labelled(plain, "general")
    assert named is not None and named.title == "Packed texts: general"


def browse(page: Path, screenshot: Path, *options: str) -> list[str]:
    """Open a page in headless Chromium, keep what it looks like, and give what it wrote to the console."""
    assert CHROMIUM is not None
    screenshot.parent.mkdir(parents=True, exist_ok=True)
    command = [
        CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
        "--disable-background-networking",
        "--enable-logging=stderr", "--v=0", "--hide-scrollbars", "--window-size=1200,6800",
        f"--user-data-dir={page.parent / 'profile'}", f"--screenshot={screenshot}", *options, page.as_uri(),
    ]  # fmt: skip
    result = subprocess.run(command, capture_output=True, text=True, timeout=400, check=True)
    return [line for line in result.stderr.splitlines() if re.search(r":CONSOLE[:(]", line)]


@pytest.mark.slow
@pytest.mark.skipif(
    CHROMIUM is None, reason="no chromium: apt-get install chromium, to see the page in a browser"
)
def test_a_browser_shows_the_page_without_a_complaint(page_file: Path, tmp_path: Path) -> None:
    assert browse(page_file, SCREENSHOTS / "report-light.png") == []
    assert browse(page_file, SCREENSHOTS / "report-dark.png", "--blink-settings=preferredColorScheme=0") == []
    assert (SCREENSHOTS / "report-light.png").stat().st_size > 100_000
    broken = tmp_path / "broken.html"
    broken.write_text("<script>console.error('seen')</script>")
    seen = browse(broken, tmp_path / "broken.png")
    assert any("seen" in line for line in seen)  # so silence means something
