"""From a masked language model to one of half its layers that has read text beside it; a second run costs nothing.

python -m flows.distill_lm                                           an assistant's queries (CLINC150), adapted, then distilled
python -m flows.distill_lm --base.source artifact:adapt/KEY --adapted true --extract.table reviews.jsonl --unlabelled true
python -m flows.distill_lm --preset imdb                             film reviews, from ../shared/data
"""

import sys

if __name__ == "__main__":
    # What else lies in the working folder, such as a tasks.py, is not ours to import: nothing but `sys` came before.
    if not sys.flags.safe_path:
        sys.path[0] = __file__.removesuffix("/flows/distill_lm.py")

    from infra.machine.quick_exit import leave  # isort: skip
    from flows.configs.distill_lm import COMMAND

    leave(COMMAND.main())

from collections.abc import Mapping

from infra.cli.flow_run import RunnableFlow
from infra.engine.naming import prefect_name
from infra.engine.run import FlowRun, open_run
from prefect import flow

from flows.configs.distill_lm import DistillLmFlowConfig
from flows.language_model_steps import curated, prepare_text
from tasks.compression.distillation.language_model.stages import begin_student, distill_lm as distil
from tasks.data.extraction.config import ExtractConfig
from tasks.data.extraction.stages import pin_sources
from tasks.evaluation.encoders.stages import compare_encoders, fine_tune_encoder, probe_encoder, score_panel
from tasks.evaluation.language_models.stages import evaluate_lm
from tasks.evaluation.latency.stages import time_bodies
from tasks.formats.kinds import CheckpointRef, DatasetRef, ReportRef
from tasks.reporting.language_model_summary import LanguageModelRecord
from tasks.reporting.distill_summary import (
    PLAIN_UNDISTILLED,
    RANDOM,
    STUDENT,
    TEACHER,
    UNDISTILLED,
    DistillLmSummary,
    read_distill_summary,
)
from tasks.reporting.stages import report_distilled
from tasks.training.masked_lm.stages import adapt as train

SEEDED = (TEACHER, STUDENT, UNDISTILLED)  # fine-tuned with every seed; the others with one


@flow(
    name="distill_lm",
    description="From a masked language model to one of half its layers that has read text beside it.",
    flow_run_name=prefect_name,
    retries=0,
)
def distill_lm(config: DistillLmFlowConfig) -> LanguageModelRecord:
    """Adapt a teacher, distil it, and measure the student beside what it would be without."""
    with open_run("distill_lm", config) as run:
        given = prepare_text(run, config)
        text, sets = (given.tokens, given.masks), panel_sets(run, config, given.rows)
        teacher = given.plain if config.adapted else train(config.adapt, given.plain, *text)
        student = distil(config.distill, teacher, *text)
        models = {
            TEACHER: teacher,
            STUDENT: student,
            UNDISTILLED: begin_student(config.distill.student, teacher),
        }
        if not config.adapted:
            models[PLAIN_UNDISTILLED] = begin_student.labelled(PLAIN_UNDISTILLED)(
                config.distill.student, given.plain
            )
        if config.random:
            models[RANDOM] = distil.labelled(RANDOM)(config.from_random, teacher, *text)
        without = {
            name: distil.labelled(name)(asked, teacher, *text) for name, asked in config.ablations.items()
        }
        made = {
            "checkpoint": student,
            "evaluation": evaluate_lm(config.evaluate, models | without, given.masks),
            "bodies": time_bodies(config.bodies, {TEACHER: teacher, STUDENT: student}),
        }
        if sets:
            made["panel"] = scored(config, models, sets)
        if given.rows and without:
            made["probed"] = probed(config, {STUDENT: student} | without, given.rows)
        return report_distilled(config, made)


def panel_sets(run: FlowRun, config: DistillLmFlowConfig, rows: DatasetRef | None) -> dict[str, DatasetRef]:
    """The labelled sets by name, the domain's own and those that are asked for; none where nothing is to be fine-tuned."""
    if not config.fine_tune.labels:
        return {}
    sets = {str(config.name): rows} if rows else {}
    for name, table in zip(config.panel_names, config.panel, strict=True):
        asked = ExtractConfig(table=(table,))
        sets[name] = curated(run, config.panel_rows, asked, pin_sources(asked))
    return sets


def scored(
    config: DistillLmFlowConfig, models: Mapping[str, CheckpointRef], sets: Mapping[str, DatasetRef]
) -> ReportRef:
    """Every model fine-tuned alike on every set."""
    once = config.fine_tune.model_copy(update={"seeds": 1})
    scores = {
        f"{of_set}/{name}": fine_tune_encoder.labelled(f"{of_set}/{name}")(
            config.fine_tune if name in SEEDED else once, model, rows
        )
        for of_set, rows in sets.items()
        for name, model in models.items()
    }
    return score_panel(config.scores, scores)


def probed(config: DistillLmFlowConfig, models: Mapping[str, CheckpointRef], rows: DatasetRef) -> ReportRef:
    """Linear probes of each, beside the first."""
    probes = {name: probe_encoder.labelled(name)(config.probe, model, rows) for name, model in models.items()}
    return compare_encoders(config.compare, probes)


RUNNABLE: RunnableFlow[DistillLmFlowConfig, LanguageModelRecord, DistillLmSummary] = RunnableFlow(
    flow=distill_lm, summary=read_distill_summary, exit_code=lambda summary: 0
)
