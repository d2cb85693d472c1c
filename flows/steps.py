"""Steps that several flows take: stages called in their order, nothing computed."""

from dataclasses import dataclass

from infra.engine.run import FlowRun

from prefect.states import Failed, State

from flows.configs.end_to_end import EndToEndConfig
from flows.configs.sizes import apply_plan, given_sizes
from flows.configs.compress import asked_shapes
from tasks.formats.kinds import (
    BaselineRef,
    CheckpointRef,
    DatasetRef,
    LogitsRef,
    OnnxModelRef,
    ReleaseRef,
    ReportRef,
    TokenizerRef,
)
from tasks.models.pretrained.stages import pin_base_model
from tasks.baselines.stages import fit_baseline
from tasks.evaluation.latency.stages import benchmark
from tasks.compression.export.stages import check_parity, export_onnx
from tasks.compression.quantization.stages import quantize
from tasks.data.curation.stages import curate
from tasks.data.publishing.stages import publish_dataset
from tasks.serving.release.stages import package, release
from tasks.evaluation.gate.stages import gate
from tasks.compression.distillation.stages import distill, distill_bag, teacher_outputs
from tasks.evaluation.stages import evaluate, predict
from tasks.data.extraction.stages import extract, pin_sources, plan_extract
from tasks.training.sizes.stages import check_students, plan_run
from tasks.reporting.stages import report_run
from tasks.reporting.summary import read_summary
from infra.errors import NotReleased
from tasks.formats.roles import CANDIDATE, REFERENCE
from tasks.formats.release_record import ReleaseRecord
from tasks.formats.published_dataset import PublishedDataset
from tasks.tokenizers.stages import build_tokenizer
from tasks.training.fine_tuning.stages import train_teacher
from tasks.training.stages import push_milestones


# How Prefect names the end of a run whose model stays here.
STAYS = {"fail": "Not released", "needs_more_rows": "Needs more rows"}


@dataclass(frozen=True)
class Prepared:
    """What every student of one data set and one teacher shares. `config` has the sizes that the data gave."""

    config: EndToEndConfig
    rows: DatasetRef
    dataset: DatasetRef
    published: PublishedDataset
    base: CheckpointRef
    teacher: CheckpointRef
    outputs: LogitsRef
    tfidf: BaselineRef


@dataclass(frozen=True)
class Student:
    """One student in every form, to its package."""

    tokenizer: TokenizerRef
    checkpoint: CheckpointRef
    onnx: OnnxModelRef
    onnx_int8: OnnxModelRef
    package: ReleaseRef


@dataclass(frozen=True)
class Judged:
    """The end of a run: what was measured on the test split, and what became of the model."""

    evaluation: ReportRef
    timings: ReportRef
    record: ReleaseRecord


def prepare(run: FlowRun, config: EndToEndConfig) -> Prepared:
    """Rows, data set, sizes, teacher, the teacher's answers, and the baseline to beat."""
    sources = pin_sources(config.extract)
    if run.options.dry_run:
        plan_extract(config.extract, sources)
    rows = extract(config.extract, sources)
    dataset = curate(config.dataset, rows)
    published = publish_dataset(config.publish, dataset, rows)
    sized = apply_plan(config, plan_run(given_sizes(config), dataset))
    base = pin_base_model(sized.base)
    check_students(asked_shapes(sized), base)
    teacher = train_teacher(sized.train, base, dataset)
    if sized.train.milestone_every:
        push_milestones(f"{config.release.name}-teacher", teacher)
    outputs = teacher_outputs(sized.distill.augment, teacher, dataset)
    tfidf = fit_baseline(sized.baseline, dataset)
    return Prepared(sized, rows, dataset, published, base, teacher, outputs, tfidf)


def make_student(config: EndToEndConfig, given: Prepared) -> Student:
    """Tokenizer, student, ONNX, int8, package."""
    tokenizer = build_tokenizer(config.tokenizer, given.base, given.dataset)
    if config.distill.layers == 0:
        student = distill_bag(config.bag, given.teacher, given.outputs, tokenizer, given.dataset)
        milestones = config.bag.milestone_every
    else:
        student = distill(config.distill, given.teacher, given.outputs, tokenizer, given.dataset)
        milestones = config.distill.milestone_every
    if milestones:
        push_milestones(f"{config.release.name}-student", student)
    onnx = export_onnx(config.compress, student, given.dataset)
    onnx_int8 = quantize(config.compress, onnx, given.dataset)
    return Student(tokenizer, student, onnx, onnx_int8, package(config.release, onnx_int8))


def judge_and_release(config: EndToEndConfig, given: Prepared, made: Student) -> Judged:
    """Parity, the test split, the benchmark, the gate, the release, the report."""
    dataset = given.dataset
    parity = check_parity(config.compress.parity, made.checkpoint, made.onnx, made.onnx_int8, dataset)
    models = {"tfidf": given.tfidf, "teacher": given.teacher, "student": made.checkpoint, "onnx": made.onnx,
              "onnx_int8": made.onnx_int8, "released": made.package}  # fmt: skip
    answers = {
        name: predict.labelled(name)(config.evaluate.predict, model, dataset)
        for name, model in models.items()
    }
    evaluation = evaluate(config.evaluate, dataset, answers)
    timings = benchmark(config.benchmark, dataset, models)
    verdict = gate(config.gate, dataset, evaluation, timings, answers[REFERENCE], answers[CANDIDATE])
    record = release(config.release, made.package, verdict, evaluation, timings, parity, dataset, given.published,
                     config.base.source)  # fmt: skip
    shown = {"evaluation": evaluation, "benchmark": timings, "parity": parity, "verdict": verdict,
             "released": made.package}  # fmt: skip
    return Judged(evaluation, timings, report_run(config, shown, record))


def released(run: FlowRun, judged: Judged) -> ReleaseRecord | State:
    """What a flow returns: the record, or the state that a model which may not be released leaves its run in.

    The run did what it was asked: it has all its results, and calling the flow raises NotReleased, which has the record.
    """
    record = judged.record
    if run.options.dry_run or record.verdict == "pass":
        return record
    gate = read_summary(record).gate
    message = " ".join(gate.reasons) if gate else ""
    return Failed(name=STAYS[record.verdict], message=message, data=NotReleased(message, record))
