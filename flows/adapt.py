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
from infra.engine.run import FlowRun, open_run
from infra.engine.naming import prefect_name
from prefect import flow

from flows.configs.adapt import AdaptFlowConfig
from tasks.baselines.ngrams.stages import ngrams
from tasks.data.curation.stages import curate
from tasks.data.extraction.config import ExtractConfig
from tasks.data.extraction.stages import extract, pin_sources, plan_extract
from tasks.data.packing.config import PackConfig
from tasks.data.packing.stages import pack
from tasks.evaluation.encoders.stages import compare_encoders, fine_tune_encoder, probe_encoder
from tasks.evaluation.language_models.stages import evaluate_lm
from tasks.formats.kinds import (
    CheckpointRef,
    DatasetRef,
    MasksRef,
    ReportRef,
    SourceRef,
    TokensRef,
)
from tasks.models.pretrained.stages import pin_base_model
from tasks.reporting.adapt_summary import (
    ADAPTED,
    AVERAGED,
    FINE_TUNED,
    PLAIN,
    PROBED,
    AdaptRecord,
    AdaptSummary,
    read_adapt_summary,
)
from tasks.reporting.stages import report_adapt
from tasks.training.masked_lm.config import ExamplesConfig
from tasks.training.masked_lm.stages import adapt as train
from tasks.training.masked_lm.stages import average_weights, freeze_masks, give_head, show_masks
from tasks.training.stages import find_head, push_milestones


@flow(
    name="adapt",
    description="From a domain's text to a masked language model that has read it.",
    flow_run_name=prefect_name,
    retries=0,
)
def adapt(config: AdaptFlowConfig) -> AdaptRecord:
    """Extract, pack, freeze the evaluation's masks, adapt, measure beside n-grams, compare the classifiers it makes."""
    with open_run("adapt", config) as run:
        base = pin_base_model(config.base)
        text, rows = given_rows(run, config)
        tokens = pack(config.pack, base, text)
        masks = freeze_masks(config.masks, tokens)
        seen = show_masks(ExamplesConfig.of(config.adapt), base, tokens)
        plain = with_head(config, base, tokens, masks)
        adapted = train(config.adapt, plain, tokens, masks)
        if config.adapt.milestone_every:
            push_milestones(f"local/{config.name}-adapted", adapted)
        models = {PLAIN: plain, ADAPTED: adapted, AVERAGED: average_weights(config.average, plain, adapted)}
        models |= {
            name: train.labelled(name)(asked, plain, tokens, masks)
            for name, asked in config.study.variants(config.adapt).items()
        }
        baseline = ngrams(config.ngrams, tokens, masks)
        made = {
            "checkpoint": adapted,
            "evaluation": evaluate_lm(config.evaluate, models, masks),
            "ngrams": baseline,
            "tokens": tokens,
            "seen": seen,
        }
        if rows:
            made |= classifiers(config, models, rows)
        return report_adapt(config, made)


def given_rows(run: FlowRun, config: AdaptFlowConfig) -> tuple[DatasetRef | SourceRef, DatasetRef | None]:
    """The domain's text, as its tables lie or curated, and rows with labels, where there are some."""
    sources = pin_sources(config.extract)
    text = sources if config.unlabelled else curated(run, config, config.extract, sources)
    if config.labelled.table or config.labelled.query:
        return text, curated(run, config, config.labelled, pin_sources(config.labelled))
    return text, None if isinstance(text, SourceRef) else text


def curated(run: FlowRun, config: AdaptFlowConfig, asked: ExtractConfig, sources: SourceRef) -> DatasetRef:
    """Rows with labels in splits."""
    if run.options.dry_run:
        plan_extract(asked, sources)
    return curate(config.dataset, extract(asked, sources))


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


def with_head(
    config: AdaptFlowConfig, base: CheckpointRef, tokens: TokensRef, masks: MasksRef
) -> CheckpointRef:
    """The base model, given a head where it has none: by general text where there is some, else by the domain's."""
    if find_head(base).found:
        return base
    general = config.general
    if general.table:
        asked = PackConfig(**general.model_dump(include=set(PackConfig.model_fields)))
        tokens = pack.labelled("general")(asked, base, pin_sources(ExtractConfig(table=general.table)))
        masks = freeze_masks.labelled("general")(config.masks, tokens)
    return give_head(config.head, base, tokens, masks)


RUNNABLE: RunnableFlow[AdaptFlowConfig, AdaptRecord, AdaptSummary] = RunnableFlow(
    flow=adapt, summary=read_adapt_summary, exit_code=lambda summary: 0
)
