"""From a domain's text to a masked language model that has read it; a second run costs nothing.

python -m flows.adapt                                                an assistant's queries (CLINC150)
python -m flows.adapt --extract.table reviews.jsonl --unlabelled true --general.table books.jsonl
python -m flows.adapt --preset imdb                                  film reviews, from ../shared/data
"""

import sys

if __name__ == "__main__":
    # What else lies in the working folder, such as a tasks.py, is not ours to import: nothing but `sys` came before.
    if not sys.flags.safe_path:
        sys.path[0] = __file__.removesuffix("/flows/adapt.py")

    from infra.machine.quick_exit import leave  # isort: skip
    from flows.configs.adapt import COMMAND

    leave(COMMAND.main())

from collections.abc import Mapping

from infra.cli.flow_run import RunnableFlow
from infra.engine.naming import prefect_name
from infra.engine.run import open_run
from prefect import flow

from flows.configs.adapt import AdaptFlowConfig
from flows.language_model_steps import prepare_text
from tasks.baselines.ngrams.stages import ngrams
from tasks.evaluation.encoders.stages import compare_encoders, fine_tune_encoder, probe_encoder
from tasks.evaluation.language_models.stages import evaluate_lm
from tasks.formats.kinds import CheckpointRef, DatasetRef, ReportRef
from tasks.formats.roles import ADAPTED, AVERAGED, PLAIN
from tasks.reporting.language_model_summary import LanguageModelRecord
from tasks.reporting.adapt_summary import (
    FINE_TUNED,
    NGRAMS,
    PROBED,
    WHOLE,
    AdaptSummary,
    read_adapt_summary,
)
from tasks.reporting.stages import report_adapt
from tasks.serving.language_model.stages import publish_adapted
from tasks.training.masked_lm.config import ExamplesConfig
from tasks.training.masked_lm.stages import adapt as train
from tasks.training.masked_lm.stages import average_weights, show_masks
from tasks.training.stages import push_milestones


@flow(
    name="adapt",
    description="From a domain's text to a masked language model that has read it.",
    flow_run_name=prefect_name,
    retries=0,
)
def adapt(config: AdaptFlowConfig) -> LanguageModelRecord:
    """Extract, pack, freeze the evaluation's masks, adapt, measure beside n-grams, publish, compare classifiers."""
    with open_run("adapt", config) as run:
        given = prepare_text(run, config)
        tokens, masks = given.tokens, given.masks
        seen = show_masks(ExamplesConfig.of(config.adapt), given.base, tokens)
        adapted = train(config.adapt, given.plain, tokens, masks)
        if config.adapt.milestone_every:
            push_milestones(config.publish.name, adapted)
        between = average_weights(config.average, given.plain, adapted)
        models = {PLAIN: given.plain, ADAPTED: adapted, AVERAGED: between}
        models |= {
            name: train.labelled(name)(asked, given.plain, tokens, masks)
            for name, asked in config.study.variants(config.adapt).items()
        }
        counts = {NGRAMS: ngrams(config.ngrams, tokens, masks)}
        if read := config.adapt.blocks_of(config.pack.length):
            asked = config.ngrams.model_copy(update={"blocks": read, "seed": config.adapt.seed})
            counts = {NGRAMS: ngrams.labelled("as read")(asked, tokens, masks), WHOLE: counts[NGRAMS]}
        evaluation = evaluate_lm(config.evaluate, models, masks)
        published = publish_adapted(
            config.publish, adapted, evaluation, counts.get(WHOLE, counts[NGRAMS]), config.base.source
        )
        made = {
            "checkpoint": adapted,
            "evaluation": evaluation,
            "tokens": tokens,
            "seen": seen,
            **counts,
        }
        if given.rows:
            made |= classifiers(config, models, given.rows)
        return report_adapt(config, made, published)


def classifiers(
    config: AdaptFlowConfig, models: Mapping[str, CheckpointRef], rows: DatasetRef
) -> dict[str, ReportRef]:
    """Which encoder to take for how many labels: by probes, and by fine-tuning where it is asked for."""
    probed = {name: probe_encoder.labelled(name)(config.probe, model, rows) for name, model in models.items()}
    made = {PROBED: compare_encoders.labelled(PROBED)(config.compare, probed)}
    if config.fine_tune.labels:
        tuned = {
            name: fine_tune_encoder.labelled(name)(config.fine_tune, models[name], rows)
            for name in (PLAIN, ADAPTED, AVERAGED)
        }
        made[FINE_TUNED] = compare_encoders.labelled(FINE_TUNED)(config.compare, tuned)
    return made


RUNNABLE: RunnableFlow[AdaptFlowConfig, LanguageModelRecord, AdaptSummary] = RunnableFlow(
    flow=adapt, summary=read_adapt_summary, exit_code=lambda summary: 0
)
