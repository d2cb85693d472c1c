"""From SQL, or your own table, to a released small classifier; a second run costs nothing.

python -m flows.end_to_end                                     an assistant's intents (CLINC150)
python -m flows.end_to_end --extract.table tickets.csv         your own rows
python -m flows.end_to_end --dry-run                           what would be computed, and why
"""

from infra.flow_cli import FlowCommand
from infra.run import open_run
from prefect import flow

from flows.config import RECIPES, EndToEndConfig, apply_plan
from tasks.base_model.task import pin_base_model
from tasks.baseline.task import fit_baseline
from tasks.benchmark.task import benchmark
from tasks.compress.task import check_parity, export_onnx, quantize
from tasks.dataset.task import curate, publish_dataset
from tasks.deploy.task import gate, package, release
from tasks.distill.task import distill, teacher_outputs
from tasks.evaluate.task import evaluate, predict
from tasks.extract.task import extract, pin_sources, plan_extract
from tasks.planning.task import plan_run
from tasks.report.task import read_summary, report_run
from tasks.results.values import ReleaseRecord
from tasks.tokenizer.task import build_tokenizer
from tasks.train.task import train_teacher

EXIT_CODES = {"pass": 0, "fail": 3, "needs_more_rows": 4}


@flow(
    name="end_to_end", description="From SQL, or your own table, to a released small classifier.", retries=0
)
def end_to_end(config: EndToEndConfig) -> ReleaseRecord:
    """Extract, curate, train a teacher, distil a student, compress, measure, judge, release."""
    with open_run("end_to_end", config) as run:
        sources = pin_sources(config.extract)
        if run.options.dry_run:
            plan_extract(config.extract, sources)
        rows = extract(config.extract, sources)
        dataset = curate(config.dataset, rows)
        published = publish_dataset(config.publish, dataset, rows)
        sized = apply_plan(config, plan_run(dataset))

        base = pin_base_model(sized.base)
        teacher = train_teacher(sized.train, base, dataset)
        tokenizer = build_tokenizer(sized.tokenizer, base, dataset)
        outputs = teacher_outputs(sized.distill.augment, teacher, dataset)
        student = distill(sized.distill, teacher, outputs, tokenizer, dataset)

        onnx = export_onnx(sized.compress, student, dataset)
        onnx_int8 = quantize(sized.compress, onnx, dataset)
        parity = check_parity(sized.compress.parity, student, onnx, onnx_int8, dataset)
        released = package(sized.release, onnx_int8)
        tfidf = fit_baseline(sized.baseline, dataset)

        answers = {name: predict(sized.evaluate.predict, model, dataset) for name, model in (
            ("tfidf", tfidf), ("teacher", teacher), ("student", student),
            ("onnx", onnx), ("onnx_int8", onnx_int8), ("released", released))}  # fmt: skip
        evaluation = evaluate(sized.evaluate, dataset, **answers)
        timings = benchmark(sized.benchmark, dataset, tfidf, teacher, student, onnx, onnx_int8, released)
        verdict = gate(sized.gate, dataset, evaluation, timings, answers["teacher"], answers["released"])
        record = release(
            sized.release,
            released,
            verdict,
            evaluation,
            timings,
            parity,
            dataset,
            published,
            sized.base.source,
        )
        shown = {"rows": rows, "dataset": dataset, "tokenizer": tokenizer, "teacher": teacher, "student": student,
                 "evaluation": evaluation, "benchmark": timings, "verdict": verdict, "released": released}  # fmt: skip
        return report_run(sized, shown, record)


COMMAND = FlowCommand(
    name="end_to_end",
    description="From SQL, or your own table, to a released small classifier; what has not changed is not redone.",
    config=EndToEndConfig,
    flow=end_to_end,
    summary=read_summary,
    exit_code=lambda summary: EXIT_CODES[summary.verdict],
    presets=RECIPES,
)

if __name__ == "__main__":
    raise SystemExit(COMMAND.main())
