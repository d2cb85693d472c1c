"""Judge the released model against its teacher. (Domain imports are inside the stage: a hit never pays for them.)"""

from infra.engine.stage import Metrics, StageRun, stage
from tasks.evaluation.gate.config import GateConfig
from tasks.evaluation.gate.section import GATE_READS, gate_section
from tasks.formats.benchmark_report import BenchmarkReport
from tasks.formats.evaluation_report import EvaluationReport
from tasks.formats.kinds import DatasetRef, PredictionsRef, ReportRef
from tasks.formats.report_file import read_report, write_report


@stage(version=3, output=ReportRef, section=gate_section, reads=GATE_READS)
def gate(
    run: StageRun,
    config: GateConfig,
    dataset: DatasetRef,
    evaluation: ReportRef,
    benchmark: ReportRef,
    teacher: PredictionsRef,
    released: PredictionsRef,
) -> Metrics:
    """Judge the released model against its teacher on the same test rows; `report.json` is a GateVerdict."""
    from tasks.evaluation.gate.gate import decide
    from tasks.formats.dataset import load_split

    verdict = decide(
        config,
        read_report(run.path(evaluation), EvaluationReport),
        read_report(run.path(benchmark), BenchmarkReport),
        run.path(teacher),
        run.path(released),
        load_split(run.path(dataset), "test").labels,
    )
    write_report(run.output_dir, verdict)
    speed = verdict.latency_interval
    return {
        "passed": float(verdict.verdict == "pass"),
        "accuracy_difference": verdict.accuracy_difference,
        "interval_low": verdict.interval[0],
        "interval_high": verdict.interval[1],
        "mcnemar_p": verdict.mcnemar_p,
        "power": verdict.power,
        "failed_classes": float(len(verdict.failed_classes)),
        "latency_ratio_teacher": verdict.latency_ratio,
        **({"latency_ratio_low": speed[0], "latency_ratio_high": speed[1]} if speed else {}),
        "size_ratio_teacher": verdict.size_ratio,
    }
