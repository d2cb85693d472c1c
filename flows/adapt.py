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
from tasks.evaluation.language_models.stages import evaluate_lm
from tasks.formats.kinds import CheckpointRef, DatasetRef, MasksRef, SourceRef, TokensRef
from tasks.models.pretrained.stages import pin_base_model
from tasks.reporting.adapt_summary import AdaptRecord, AdaptSummary, read_adapt_summary
from tasks.reporting.stages import report_adapt
from tasks.serving.language_model.stages import publish_adapted
from tasks.training.masked_lm.stages import adapt as train
from tasks.training.masked_lm.stages import freeze_masks, give_head
from tasks.training.sizes.stages import check_students
from tasks.training.stages import find_head, push_milestones


@flow(
    name="adapt",
    description="From a domain's text to a masked language model that has read it.",
    flow_run_name=prefect_name,
    retries=0,
)
def adapt(config: AdaptFlowConfig) -> AdaptRecord:
    """Extract, pack, freeze the evaluation's masks, adapt, measure beside n-grams, publish."""
    with open_run("adapt", config) as run:
        base = pin_base_model(config.base)
        check_students(config.asked_shapes(), base)
        tokens = pack(config.pack, base, domain_text(run, config))
        masks = freeze_masks(config.masks, tokens)
        before = with_head(config, base, tokens, masks)
        after = train(config.adapt, before, tokens, masks)
        if config.adapt.milestone_every:
            push_milestones(config.publish.name, after)
        baseline = ngrams(config.ngrams, tokens, masks)
        evaluation = evaluate_lm(config.evaluate, {"before": before, "after": after}, masks)
        publish_adapted(config.publish, after, evaluation, baseline, config.base.source)
        return report_adapt(after, evaluation, baseline, tokens)


def domain_text(run: FlowRun, config: AdaptFlowConfig) -> DatasetRef | SourceRef:
    """The tables as they lie, or rows with labels, curated."""
    sources = pin_sources(config.extract)
    if config.unlabelled:
        return sources
    if run.options.dry_run:
        plan_extract(config.extract, sources)
    return curate(config.dataset, extract(config.extract, sources))


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
