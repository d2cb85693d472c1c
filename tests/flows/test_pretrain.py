"""`flows.pretrain` through the real Prefect, on sixty small files: recomputed by plain transformers, cached, completed."""

import json
import math
import random
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import torch
from huggingface_hub import ModelCard
from transformers import AutoTokenizer, GPT2LMHeadModel

from infra.hub.connect import open_hub
from infra.settings import get_settings
from tasks.formats.packed_corpus import open_part, read_packed_corpus
from tasks.reporting.pretrain_summary import PretrainSummary

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
QUERY = "SELECT content AS text, repo_name, path, license, copies FROM files ORDER BY repo_name, path\n"
HELD_OUT = "acme/unseen"
CONTEXT = 32
ASKED = {
    "size": "nano", "tokenizer.vocabulary-size": 384, "model.layers": 1, "model.width": 32, "model.context": CONTEXT,
    "pretrain.steps": 30, "pretrain.batch-size": 8, "pretrain.milestone-every": 5,
    "pretrain.validation-windows": 20, "pretrain.mixed-precision": "no", "completions.prompts": 4, "completions.max-tokens": 12,
    "completions.prompt-characters": 60, "code.held-out": HELD_OUT, "code.file-share": 0.2, "publish.fresh": "true",
}  # fmt: skip
NAMES = ["load", "save", "merge", "count", "split", "join", "open", "close", "read", "write", "start", "stop"]


def code_files(folder: Path) -> list[str]:
    """Arguments for sixty files of four repositories, each with functions that have a docstring."""
    draw = random.Random(0)
    rows = []
    for number in range(60):
        verb, noun, value = draw.choice(NAMES), draw.choice(NAMES), draw.randrange(100)
        body = "".join(
            f'def {verb}_{noun}_{part}_{number}(path):\n    """{verb.title()} {noun} {part}."""\n    rows = list(path)\n'
            f"    return rows[{value + part}:] + [{draw.randrange(1000)}]\n\n\n"
            for part in range(4)
        )
        repository = HELD_OUT if number % 6 == 0 else f"acme/known{number % 3}"
        rows.append(
            {"repo_name": repository, "path": f"src/{verb}_{number}.py", "content": body, "license": "mit", "copies": 1}
        )  # fmt: skip
    (folder / "files.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "files.sql").write_text(QUERY)
    given = {"extract.table": folder / "files.jsonl", "extract.query": folder / "files.sql", "name": "tiny"}
    return [word for name, value in (given | ASKED).items() for word in (f"--{name}", str(value))]


def ran(report: Path, asked: list[str]) -> PretrainSummary:
    from flows.configs.pretrain import COMMAND

    assert COMMAND.main([*asked, "--report", str(report)]) == 0
    written = json.loads(report.read_text())
    jsonschema.validate(written, json.loads((ROOT / "docs" / "pretrain-report.schema.json").read_text()))
    return PretrainSummary.model_validate(written)


def place(uri: str) -> Path:
    """Folder of an artifact."""
    stage, key = uri.removeprefix("artifact:").split("/")
    return get_settings().artifacts / stage / key


@pytest.mark.usefixtures("prefect_server", "tracked_home")
def test_files_become_a_model_that_is_measured_published_and_served_from_the_store(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = code_files(tmp_path)
    first = ran(tmp_path / "first.json", asked)
    found = first.pretrain
    assert found.corpus.held_out == (HELD_OUT,) and found.corpus.files <= 60
    assert found.tokenizer.tokens_per_byte["gpt2"] is None
    assert found.bits_per_byte.mean == pytest.approx(recomputed(found.model), rel=0.01)
    assert found.bits_per_byte.mean == found.bits_per_byte.repositories[HELD_OUT]
    assert 0 < (found.ngram.cached or 0) < math.inf and 0 < (found.ngram.static or 0) < math.inf
    assert {row.name for row in found.completions.rows} >= {"model", "fresh weights", "true bodies"}
    assert {stage.state for stage in first.stages} == {"computed"}
    second = ran(tmp_path / "second.json", asked)
    assert {stage.state for stage in second.stages} == {"cached"}
    assert second.pretrain == found
    page = Path(second.report).read_text()
    for text in (
        "What came of it",
        "Tokenizers on unseen code",
        "Packed corpus",
        "Completions",
        "Memorisation",
    ):
        assert text in page, text
    hub = open_hub(get_settings())
    pushed = [one.message for one in hub.revisions("model", "local/tiny-gpt")]
    assert pushed[0].startswith("Language model ") and "Fresh weights" in pushed
    assert sum(one.startswith("Step ") for one in pushed) == 2
    published = hub.resolve("model", "local/tiny-gpt")
    card = ModelCard.load(published / "README.md")
    assert card.data.eval_results[0].metric_value == pytest.approx(found.bits_per_byte.mean, abs=1e-4)
    recipe = (published / "recipe.yaml").read_text()
    assert "flow: pretrain" in recipe and str(tmp_path) not in recipe
    assert (hub.resolve("model", "local/tiny-tokenizer") / "tokenizer.json").is_file()
    completes(found.model, capsys)


def completes(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The command that the flow's end names, on what it made."""
    from tasks.generation.completion.commands import complete

    capsys.readouterr()
    complete(model, prompt=("def read_lines(path):",), n=2, max_tokens=6)
    assert capsys.readouterr().out.count("def read_lines(path):") >= 1


def recomputed(uri: str) -> float:
    """Bits a byte of the held-out repository by plain transformers, window by window."""
    record = json.loads((place(uri) / "record.json").read_text())
    tokens = place(record["inputs"]["tokens"]["uri"])
    corpus, packed = read_packed_corpus(tokens), open_part(tokens, HELD_OUT)
    model = GPT2LMHeadModel.from_pretrained(place(uri)).eval()
    assert AutoTokenizer.from_pretrained(place(uri)).eos_token_id == model.config.eos_token_id
    ids, nats = torch.from_numpy(np.asarray(packed.ids[0 : len(packed.tokens)])), 0.0
    for start in range(0, len(ids) - 1, CONTEXT):
        window, asked = ids[start : start + CONTEXT], ids[start + 1 : start + 1 + CONTEXT].clone()
        window = window[: len(asked)]
        asked[torch.isin(asked, torch.from_numpy(corpus.quality_ids))] = -100
        with torch.inference_mode():
            logits = model(window[None]).logits[0]
        nats += torch.nn.functional.cross_entropy(logits, asked, reduction="sum", ignore_index=-100).item()
    return nats / (math.log(2) * corpus.parts[HELD_OUT].bytes)


WRONG = {
    "no query": ("--extract.query absent.sql", "absent.sql"),
    "nothing set aside": ("--code.file-share 0", "code.file_share is 0"),
    "no such repository": ("--code.held-out acme/unsen", "acme/unseen"),
    "a longer context than there are tokens": ("--model.context 60000", "which is one window"),
    "not code": ("--extract.kind labelled", "expected code"),
    "heads that do not divide": ("--model.width 33", "expected a multiple of the heads"),
    "no such size": ("--size huge", "'nano', 'small', 'base' or 'xl'"),
    "no such reference": ("--reference.source no-such-folder/at-all/there", "no-such-folder"),
}


@pytest.mark.usefixtures("prefect_server", "tracked_home")
@pytest.mark.parametrize("wrong", WRONG)
def test_what_a_newcomer_gets_wrong_is_one_message(
    wrong: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    from flows.configs.pretrain import COMMAND

    more, said = WRONG[wrong]
    assert COMMAND.main([*code_files(tmp_path), *more.split()]) == 2
    shown = capfd.readouterr().err
    assert said in shown and shown.count("Error: ") == 1 and "Traceback" not in shown
