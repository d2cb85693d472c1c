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
from tasks.data.curation.stages import curate_code
from tasks.data.extraction.stages import extract, pin_sources, plan_extract
from tasks.data.packing.stages import pack_corpus
from tasks.evaluation.causal_lm.stages import evaluate_causal_lm
from tasks.reporting.language_model_summary import LanguageModelRecord
from tasks.tokenizers.code.stages import train_code_tokenizer
from tasks.training.causal_lm.stages import fresh_weights
from tasks.training.causal_lm.stages import pretrain as train


@flow(
    name="pretrain",
    description="From files of code to a language model that was begun from nothing.",
    flow_run_name=prefect_name,
    retries=0,
)
def pretrain(config: PretrainFlowConfig) -> LanguageModelRecord:
    """Extract, curate, train a tokenizer, pack, train a model, measure it."""
    with open_run("pretrain", config) as run:
        sources = pin_sources(config.extract)
        if run.options.dry_run:
            plan_extract(config.extract, sources)
        corpus = curate_code(config.code, extract(config.extract, sources))
        tokenizer = train_code_tokenizer(config.tokenizer, corpus)
        tokens = pack_corpus(config.pack, tokenizer, corpus)
        fresh = fresh_weights(config.model, tokenizer)
        model = train(config.pretrain, fresh, tokens)
        evaluation = evaluate_causal_lm(config.evaluate, {"model": model}, tokens)
        return LanguageModelRecord(checkpoint=model.uri, digest=model.digest, summary=evaluation.uri)


RUNNABLE: RunnableFlow[PretrainFlowConfig, LanguageModelRecord, None] = RunnableFlow(
    flow=pretrain, summary=lambda record: None, exit_code=lambda summary: 0
)
