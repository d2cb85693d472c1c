"""Bodies of encoders side by side: how large each is, how fast, and by how much the reference is slower."""

from pathlib import Path

import pytest
import torch
from safetensors.numpy import load_file

from infra.errors import ArtifactError, ConfigError
from tasks.evaluation.latency import body
from tasks.evaluation.latency.bodies import compare, time_bodies
from tasks.evaluation.latency.config import BodiesConfig
from tasks.evaluation.latency.stages import time_bodies as bodies_stage
from tasks.formats.bodies_report import BodiesReport, BodyTiming, read_bodies
from tasks.formats.report_file import write_report
from tasks.models.masked_lm import MaskedLanguageModel
from tests.tasks.models.test_masked_lm import CONFIGS
from tests.tasks.models.tiny_encoder import tiny_tokenizer, write_base
from tests.tasks.sections import shown

REFERENCE_MS, STUDENT_MS = [8.0, 8.1, 8.2, 7.9, 8.0, 9.0], [4.0, 4.1, 4.0, 3.9, 4.0, 4.4]
SMALLEST = BodiesConfig(tokens=16, batch_sizes=(1, 2), timed=2, rounds=6)


@pytest.fixture
def models(tmp_path: Path) -> dict[str, Path]:
    """An encoder, and a student with a head."""
    MaskedLanguageModel.from_config(CONFIGS["distilbert"]).save(tmp_path / "student", tiny_tokenizer())
    return {"student": tmp_path / "student", "teacher": write_base(tmp_path / "teacher")}


def of_layers(folder: Path) -> int:
    names = load_file(folder / "model.safetensors")
    return sum(value.size for name, value in names.items() if ".layer." in name)


@pytest.mark.slow
def test_bodies_are_measured_side_by_side_and_the_reference_comes_first(
    models: dict[str, Path], tmp_path: Path
) -> None:
    metrics = time_bodies(SMALLEST, models, tmp_path)
    report = read_bodies(tmp_path)
    assert [model.name for model in report.models] == ["teacher", "student"]
    for model in report.models:
        assert [latency.batch_size for latency in model.latencies] == [1, 2]
        assert all(len(latency.round_p50_ms) == 6 and latency.latency_ms > 0 for latency in model.latencies)
    student, teacher = report.timing("student").latency(2), report.timing("teacher").latency(2)
    assert student.speedup == teacher.latency_ms / student.latency_ms
    assert student.speedup_interval is not None and teacher.speedup_interval is None
    assert metrics["student_batch_2_ms"] == student.latency_ms
    assert report.idle_cpu_share < 0.3


def test_a_body_is_counted_without_head_and_pooler(models: dict[str, Path]) -> None:
    threads = torch.get_num_threads()  # of this process: they stay
    for name, folder in models.items():
        opened = body.open_body(folder, threads, 64)
        assert opened.layer_parameters == of_layers(folder)
        assert opened.weight_bytes == (folder / "model.safetensors").stat().st_size
        assert (opened.architecture, opened.layers) == {"student": ("distilbert", 2), "teacher": ("bert", 3)}[
            name
        ]
        assert opened.parameters < opened.weight_bytes / 4  # head and pooler are in the file
    assert len(body.time_body(2, 16, 1, 3)) == 3
    with pytest.raises(ConfigError, match="rows of 65 tokens: expected at most the model's 64"):
        body.open_body(models["teacher"], threads, 65)


def test_a_reference_that_is_not_there_is_named_before_anything_starts(
    models: dict[str, Path], tmp_path: Path
) -> None:
    with pytest.raises(
        ConfigError, match="the reference is 'adapted': expected one of the models, student, teacher"
    ):
        time_bodies(BodiesConfig(reference="adapted"), models, tmp_path)


def written(folder: Path) -> BodiesReport:
    rounds = {"teacher": {1: REFERENCE_MS}, "student": {1: STUDENT_MS}}
    size = {"runtime": "torch 2", "architecture": "bert", "parameters": 30, "layer_parameters": 20}
    timings = (
        BodyTiming(name=name, latencies=compare(own, rounds["teacher"]), layers=3, weight_bytes=120, **size)
        for name, own in rounds.items()
    )
    asked = SMALLEST.model_dump(include={"reference", "tokens", "warmups", "timed", "rounds"})
    machine = {"threads": 2, "cpu": "a processor", "cpu_flags": (), "cores": 2, "idle_cpu_share": 0.0}
    report = BodiesReport(models=tuple(timings), **asked, **machine)
    write_report(folder, report)
    return report


def test_how_much_faster_one_is_stands_beside_its_interval(tmp_path: Path) -> None:
    found = written(tmp_path).timing("student").latency(1)
    assert (found.latency_ms, found.speedup) == (4.0, pytest.approx(8.05 / 4.0))
    assert found.speedup_interval is not None
    low, high = found.speedup_interval
    assert 1.9 < low <= found.speedup <= high < 2.1
    (table,) = shown(bodies_stage, tmp_path, tmp_path / "copy").tables
    reference, student = ({column.name: column.text(row) for column in table.columns} for row in table.rows)
    assert (reference["ms_1"], reference["faster_1"]) == ("8.05", "–")
    assert student["faster_1"].startswith("2.01x (") and student["layer_parameters"] == "20"


def test_a_batch_size_that_was_not_timed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"student was not timed with batches of 32: found \[1\]"):
        written(tmp_path).timing("student").latency(32)
