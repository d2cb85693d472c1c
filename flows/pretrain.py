"""From SQL to a language model of code that was begun from nothing; a second run costs nothing.

python -m flows.pretrain                                             the Python distributions that are installed here
python -m flows.pretrain --extract.query files.sql --extract.table files.jsonl --code.held-out OWNER/NAME
python -m flows.pretrain --preset laptop                             twelve repositories, from ../shared/data
"""

import sys

if __name__ == "__main__":
    # What else lies in the working folder, such as a tasks.py, is not ours to import: nothing but `sys` came before.
    if not sys.flags.safe_path:
        sys.path[0] = __file__.removesuffix("/flows/pretrain.py")

    from infra.machine.quick_exit import leave  # isort: skip
    from flows.configs.pretrain import COMMAND

    leave(COMMAND.main())

from infra.cli.flow_run import RunnableFlow
from infra.engine.naming import prefect_name
from infra.engine.run import open_run
from prefect import flow

from flows.configs.pretrain import PretrainFlowConfig
from tasks.baselines.causal_ngrams.stages import causal_ngrams
from tasks.data.curation.stages import curate_code
from tasks.data.extraction.stages import extract, pin_sources, plan_extract
from tasks.data.packing.stages import pack_corpus
from tasks.evaluation.causal_lm.stages import evaluate_causal_lm
from tasks.evaluation.completions.stages import complete_prompts
from tasks.evaluation.memorisation.stages import memorisation
from tasks.formats.kinds import DatasetRef, ReportRef, TokenizerRef
from tasks.formats.published_model import PublishedModel
from tasks.formats.tokenizer_report import OURS, REFERENCE
from tasks.reporting.language_model_summary import LanguageModelRecord
from tasks.reporting.pretrain_summary import FRESH, MODEL, PretrainSummary, read_pretrain_summary
from tasks.reporting.stages import report_pretrained
from tasks.serving.language_model.stages import publish_pretrained, push_fresh
from tasks.tokenizers.code.publishing.stages import publish_tokenizer
from tasks.tokenizers.code.reference.stages import pin_reference_tokenizer
from tasks.tokenizers.code.stages import measure_code_tokenizer, train_code_tokenizer
from tasks.training.causal_lm.stages import fresh_weights
from tasks.training.causal_lm.stages import pretrain as train
from tasks.training.stages import push_milestones


@flow(
    name="pretrain",
    description="From files of code to a language model that was begun from nothing.",
    flow_run_name=prefect_name,
    retries=0,
)
def pretrain(config: PretrainFlowConfig) -> LanguageModelRecord:
    """Extract, curate, train a tokenizer, pack, train a model, measure it beside n-grams, publish both."""
    with open_run("pretrain", config) as run:
        sources = pin_sources(config.extract)
        if run.options.dry_run:
            plan_extract(config.extract, sources)
        corpus = curate_code(config.code, extract(config.extract, sources))
        tokenizer = train_code_tokenizer(config.tokenizer, corpus)
        measured, pushed = measured_tokenizer(config, tokenizer, corpus)
        tokens = pack_corpus(config.pack, tokenizer, corpus)
        fresh = fresh_weights(config.model, tokenizer)
        if config.publish.fresh:
            push_fresh(config.publish, fresh)
        model = train(config.pretrain, fresh, tokens)
        if config.pretrain.milestone_every:
            push_milestones(config.publish.name, model)
        completions = complete_prompts(config.completions, {FRESH: fresh, MODEL: model}, tokens, corpus)
        reports = {
            "evaluation": evaluate_causal_lm(config.evaluate, {MODEL: model}, tokens),
            "ngrams": causal_ngrams(config.ngrams, tokens),
            "completions": completions,
            "memorisation": memorisation(config.memorisation, tokens, completions),
        }
        published = publish_pretrained(config.publish, config.shared_recipe, model, corpus, reports)
        made = {"checkpoint": model, "corpus": corpus, "tokenizer": measured, "tokens": tokens, **reports}
        return report_pretrained(config, made, published, pushed)


def measured_tokenizer(
    config: PretrainFlowConfig, tokenizer: TokenizerRef, corpus: DatasetRef
) -> tuple[ReportRef, PublishedModel]:
    """How the tokenizer cuts what was held out, beside another one where one is asked for; and where it was published."""
    tokenizers = {OURS: tokenizer}
    if config.reference.source:
        tokenizers[REFERENCE] = pin_reference_tokenizer(config.reference)
    measured = measure_code_tokenizer(config.measure_tokenizer, tokenizers, corpus)
    return measured, publish_tokenizer(config.publish_tokenizer, tokenizer, measured, corpus)


RUNNABLE: RunnableFlow[PretrainFlowConfig, LanguageModelRecord, PretrainSummary] = RunnableFlow(
    flow=pretrain, summary=read_pretrain_summary, exit_code=lambda summary: 0
)
