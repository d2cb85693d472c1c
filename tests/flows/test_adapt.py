"""`flows.adapt` through the real Prefect, on a tiny encoder without a head: figures recomputed, cached, opened by others."""

import json
import math
from pathlib import Path

import jsonschema
import pytest
import torch
from huggingface_hub import ModelCard
from safetensors.torch import load_file
from transformers import AutoModelForMaskedLM, pipeline

from infra.hub.connect import open_hub
from infra.settings import get_settings
from tasks.reporting.adapt_summary import AdaptSummary
from tests.fakes.hub import hub_server
from tests.flows.tiny import write_tiny
from tests.tasks.models.tiny_encoder import write_base

pytestmark = pytest.mark.slow
TOKEN = "hf_canary0token0never0shown"
ROOT = Path(__file__).parents[2]
ASKED = {
    "pack.length": 16, "general.length": 16, "masks.documents": 40, "head.steps": 10, "adapt.steps": 60, "adapt.batch-size": 8,
    "adapt.milestone-every": 5, "adapt.mixed-precision": "no", "head.mixed-precision": "no",
    "evaluate.texts": '["show my [MASK]"]', "dataset.test-share": 0.25, "name": "tiny",
}  # fmt: skip


def ran(report: Path, *arguments: str) -> AdaptSummary:
    from flows.configs.adapt import COMMAND

    assert COMMAND.main([*arguments, "--report", str(report)]) == 0
    written = json.loads(report.read_text())
    jsonschema.validate(written, json.loads((ROOT / "docs" / "adapt-report.schema.json").read_text()))
    return AdaptSummary.model_validate(written)


def place(uri: str) -> Path:
    """Folder of an artifact."""
    stage, key = uri.removeprefix("artifact:").split("/")
    return get_settings().artifacts / stage / key


@pytest.mark.usefixtures("prefect_server", "tracked_home")
def test_an_encoder_without_a_head_is_adapted_measured_and_served_from_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = write_tiny(tmp_path)
    given = {"extract.table": tiny.table, "base.source": tiny.base, **ASKED}
    asked = [word for name, value in given.items() for word in (f"--{name}", str(value))]
    first = ran(tmp_path / "first.json", *asked)
    found = first.adapt
    assert found.blocks.train == found.blocks.tokens // 16
    assert found.perplexity.end < found.perplexity.before
    assert found.perplexity.end == pytest.approx(recomputed(found.checkpoint), rel=0.02)
    assert all(1 < value < math.inf for value in found.ngram.model_dump().values())
    for folder in (place(found.checkpoint), Path(first.published.path)):
        assert (folder / "model.safetensors").is_file()
    fill = pipeline("fill-mask", model=str(place(found.checkpoint)), device="cpu")
    fills = [one["token_str"] for one in fill("show my [MASK]", top_k=5)]
    assert fills == [one.token for one in found.fills["after"][0].fills]
    assert {stage.state for stage in first.stages} == {"computed"}
    second = ran(tmp_path / "second.json", *asked)
    assert {stage.state for stage in second.stages} == {"cached"}
    assert second.adapt == found
    page = Path(second.report).read_text()
    for text in (
        "What the model sees",
        f"{found.perplexity.end:,.1f}",
        "Better than before",
        "Packed texts",
        "show_masks",
    ):
        assert text in page, text
    reports = get_settings().reports
    assert (reports / "latest" / "report.html").samefile(second.report) and "report.html" in (
        reports / "index.html"
    ).read_text()
    hub = open_hub(get_settings())
    pushed = [one.message for one in hub.revisions("model", "local/tiny-adapted")]
    assert pushed[0].startswith("Language model ") and all(one.startswith("Step ") for one in pushed[1:])
    card = ModelCard.load(hub.resolve("model", "local/tiny-adapted") / "README.md")
    assert card.data.eval_results[0].metric_value == pytest.approx(found.perplexity.end, abs=1e-4)
    on_the_network(tmp_path, monkeypatch, asked)
    from flows.configs.end_to_end import COMMAND

    base = found.checkpoint[: len("artifact:adapt/") + 8]
    assert COMMAND.main([*tiny.arguments(base__source=base), "--dry-run"]) == 0
    assert COMMAND.main([*tiny.arguments(base__source="artifact:adapt/ffffffff"), "--dry-run"]) == 2


TEXTS = '{"text": "show my balance"}\n' * 3
WRONG = {
    "no such table": (None, "--extract.table absent.jsonl", "absent.jsonl does not exist"),
    "no text column": ('{"body": "show my balance"}\n', "", "has no column 'text': it has body"),
    "empty texts": ('{"text": ""}\n' * 3, "", "0 tokens in 3 texts, 3 of them empty"),
    "no whole block": (TEXTS, "", "expected 16 tokens or more, which is one block"),
    "labels expected": (TEXTS, "--unlabelled false", "--unlabelled true"),
    "no checkpoint": (TEXTS, "--base.source artifact:adapt/nonsense", "expected one checkpoint of this home"),
    "no tokenizer": (TEXTS, "--base.source BASE", "has no tokenizer: expected one of tokenizer.json"),
    "too few layers": (TEXTS, "--adapt.freeze-layers 7", "adapt.freeze_layers is 7: expected at most 6"),
}


@pytest.mark.usefixtures("prefect_server", "tracked_home")
@pytest.mark.parametrize("wrong", WRONG)
def test_what_a_newcomer_gets_wrong_is_one_message_and_leaves_nothing(
    wrong: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from flows.configs.adapt import COMMAND

    text, more, said = WRONG[wrong]
    table, base = tmp_path / "texts.jsonl", write_base(tmp_path / "base")
    table.write_text(text or TEXTS)
    for path in base.glob("tokenizer*"):
        path.unlink()
    asked = f"--extract.table {table} --unlabelled true --pack.length 16 {more}".replace("BASE", str(base))
    assert COMMAND.main(asked.split()) == 2
    shown = capfd.readouterr().err
    assert said in shown and shown.count("Error: ") == 1 and "Traceback" not in shown
    assert [*get_settings().artifacts.glob("*/*/record.json")] == []


def on_the_network(folder: Path, monkeypatch: pytest.MonkeyPatch, asked: list[str]) -> None:
    """All of it cached, the Hub is told nevertheless: milestones on a branch, the model as `main`, and once."""
    with hub_server() as server:
        server.tokens = {TOKEN: "write"}
        with monkeypatch.context() as changed:
            changed.setenv("STILLHOUSE_HUB", f"{server.endpoint}/org")
            changed.setenv("STILLHOUSE_HUB_TOKEN", TOKEN)
            get_settings.cache_clear()
            ran(folder / "third.json", *asked)
            repo = server.repos["model", "org/tiny-adapted"]
            commits, branches = len(repo.commits), dict(repo.branches)
            (run,) = (name for name in branches if name.startswith("run-"))
            main, steps = repo.files(branches["main"]), repo.files(branches[run])
            assert {
                "README.md",
                "model.safetensors",
                "tokenizer.json",
            } <= main.keys() and "README.md" not in steps
            assert b'model="org/tiny-adapted"' in main["README.md"]
            ran(folder / "fourth.json", *asked)
            assert (len(repo.commits), repo.branches) == (commits, branches)
    get_settings.cache_clear()


def recomputed(checkpoint: str) -> float:
    """The perplexity on the frozen masks by plain transformers."""
    (masks,) = get_settings().artifacts.glob("freeze_masks/*/frozen.safetensors")
    frozen = load_file(masks)
    model = AutoModelForMaskedLM.from_pretrained(place(checkpoint)).eval()
    ids, labels = frozen["input_ids"], frozen["labels"]
    with torch.no_grad():
        loss = model(input_ids=ids, attention_mask=(ids != 0).long(), labels=labels).loss
    return math.exp(loss.item())
