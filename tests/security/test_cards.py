"""Whatever stands in labels, in tables and beside them, a card has no element but those of its template."""

import json
import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from infra.engine.run import open_run
from infra.engine.stage import Metrics, StageRun, stage
from infra.errors import ConfigError
from tasks.data.curation.config import CurateConfig
from tasks.data.curation.curate import curate_rows
from tasks.data.extraction.source import pin
from tasks.data.publishing.config import PublishDatasetConfig
from tasks.data.publishing.publish import assemble
from tasks.evaluation.gate.reasons import class_reason
from tasks.evaluation.gate.stages import gate
from tasks.formats.gate_verdict import GateVerdict
from tasks.formats.kinds import ReportRef
from tasks.formats.release_record import ReleaseRecord
from tasks.formats.report_file import read_report, write_report
from tasks.reporting.stages import report_run
from tasks.serving.release.card import CardFacts, write_card
from tasks.serving.release.stages import package
from tests.security.hostile_markdown import HOSTILE, LINES, PLAIN, elements
from tests.tasks.data.curation.extracts import sentences, write_extract
from tests.tasks.reporting.run import (
    Nothing,
    RunConfig,
    benchmark_tiny,
    curate_tiny,
    evaluate_tiny,
    extract_tiny,
    predict_tiny,
    quantize_tiny,
    train_tiny,
)
from tests.tasks.serving.release.test_card import make_facts

from prefect import flow  # isort: skip


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> CardFacts:
    return make_facts(tmp_path_factory.mktemp("released"))


def model_card(facts: CardFacts, said: str, path: Path) -> Counter[str]:
    """A model whose labels, sources and base model are called `said`."""
    scores = facts.evaluation.per_class
    rule = facts.model.out_of_scope
    assert rule is not None
    verdict = facts.verdict.model_copy(
        update={"largest_fall": facts.verdict.largest_fall.model_copy(update={"label": said})}
    )
    told = replace(
        facts,
        attributions=(said,),
        model=replace(facts.model, out_of_scope=rule.model_copy(update={"label": said})),
        verdict=verdict.model_copy(update={"reasons": (said, class_reason(verdict))}),
        evaluation=facts.evaluation.model_copy(
            update={"per_class": tuple(one.model_copy(update={"label": said}) for one in scores)}
        ),
        config=facts.config.model_copy(update={"title": said, "limits": said, "license": said}),
    )
    write_card(told, (), path)
    return elements(path)


def test_a_models_card_has_no_element_but_its_templates(released: CardFacts, tmp_path: Path) -> None:
    usual = model_card(released, PLAIN, tmp_path / "plain.md")
    told = {said: model_card(released, said, tmp_path / "hostile.md") for said in (*HOSTILE, *LINES)}
    assert {said: found - usual for said, found in told.items() if found != usual} == {}


def data_card(said: str, folder: Path, labels: tuple[str, str]) -> Counter[str]:
    """A data set with labels of these names, whose table is described as `said`."""
    first, second = labels
    texts, names = sentences([first, second], each=20)
    texts, names = [*texts, "one more text"], [*names, f"rare {second}"]
    extract = write_extract(folder / "extract", text=texts, label=names)
    record = json.loads((extract / "extract.json").read_text())
    told = {"name": said, "title": said, "licence": said, "attribution": said, "url": said}
    record |= {"sources": [told], "parameters": {"owner": said}}
    (extract / "extract.json").write_text(json.dumps(record))
    curate_rows(CurateConfig(out_of_scope_label=second), extract, folder / "curated")
    published = PublishDatasetConfig(title=said, sources=(said,))
    return elements(assemble(published, folder / "curated", extract, folder / "card") / "README.md")


def test_a_data_sets_card_has_no_element_but_its_templates(tmp_path: Path) -> None:
    usual = data_card(PLAIN, tmp_path / "plain", ("a", "b"))
    hostile = [
        (f"b {said}", said) for said in ("`![t](https://evil.example)`", "# `` ` `` [a](https://b.example)")
    ]
    told = {
        said: data_card(said, tmp_path / str(i), ("a", label))
        for i, (label, said) in enumerate([*hostile, *(("b", lines) for lines in LINES)])
    }
    assert {said: found - usual for said, found in told.items() if found != usual} == {}


def with_attribution(folder: Path, **said: str) -> Path:
    known = {"title": "T", "licence": "cc-by-4.0", "attribution": "by them", "url": "https://example.org/t"}
    (folder / "t.csv").write_text("text,label\na b,c\n")
    (folder / "attribution.json").write_text(json.dumps(known | said))
    return folder / "t.csv"


@pytest.mark.parametrize(
    "licence",
    ["mit\n# heading", "`<b>mit</b>`", "[mit](https://evil.example)", "", "m" * 200],
    ids=["lines", "html", "link", "nothing", "long"],
)
def test_a_licence_that_is_no_plain_name_is_refused(licence: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"attribution\.json: licence: .* expected an identifier"):
        pin((with_attribution(tmp_path, licence=licence),))


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "https://",
        "example.org/t",
        "https://bob:pw@example.org",
        "https://example.org/ <b>",
    ],
)
def test_an_address_that_is_not_of_the_web_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"attribution\.json: url: .* expected http"):
        pin((with_attribution(tmp_path, url=url),))


@stage(version=1, output=ReportRef)
def gate_of_hostile_labels(run: StageRun, config: Nothing, verdict: ReportRef) -> Metrics:
    """A verdict whose reasons are nothing but hostile text."""
    judged = read_report(run.path(verdict), GateVerdict)
    write_report(run.output_dir, judged.model_copy(update={"reasons": HOSTILE}))
    return {}


@flow(name="hostile_verdict")
def hostile_verdict(config: RunConfig) -> ReleaseRecord:
    """The end of a run: everything but the release."""
    with open_run("hostile_verdict", config):
        asked = Nothing()
        rows = extract_tiny(asked)
        dataset = curate_tiny(asked, rows)
        model = train_tiny(asked, dataset)
        scores, timings = evaluate_tiny(asked, dataset), benchmark_tiny(asked, dataset)
        answers = predict_tiny(asked, dataset)
        verdict = gate(config.gate, dataset, scores, timings, answers, answers)
        made = {
            "evaluation": scores,
            "benchmark": timings,
            "verdict": gate_of_hostile_labels(asked, verdict),
        }
        made["released"] = package(config.release, quantize_tiny(asked, model))
        record = ReleaseRecord(
            name="local/tiny",
            verdict="fail",
            revision=None,
            path=None,
            registered_name="local-tiny",
            registered_version=None,
            aliases=(),
            package_digest="0" * 64,
            model_sha256="0" * 64,
            unregistered=None,
            note=None,
        )
        return report_run(config, made, record)


@pytest.mark.slow
@pytest.mark.usefixtures("prefect_server", "tracked_home")
def test_a_verdict_in_prefect_has_no_element_but_its_sentences() -> None:
    hostile_verdict(RunConfig())
    api = os.environ["PREFECT_API_URL"]
    shown = httpx.get(f"{api}/artifacts/hostile-verdict-verdict/latest").json()["data"]
    said = [line for line in shown.splitlines() if line.startswith("- ")]
    assert elements("\n".join(said)) == elements("\n".join([f"- {PLAIN}"] * len(HOSTILE)))
