"""Publish a tokenizer. (Domain imports are inside: what is there already never pays for them.)"""

import tempfile
from pathlib import Path

from infra.engine.action import ActionRun, action
from infra.hub.connect import open_hub
from infra.store.fingerprint import canonical
from tasks.formats.kinds import DatasetRef, ReportRef, TokenizerRef
from tasks.formats.published_model import PublishedModel
from tasks.formats.report_file import REPORT_FILE
from tasks.formats.tokenizer_report import LEARNED_FILE
from tasks.tokenizers.code.publishing.config import PublishTokenizerConfig


@action(version=1)
def publish_tokenizer(
    run: ActionRun,
    config: PublishTokenizerConfig,
    tokenizer: TokenizerRef,
    measured: ReportRef,
    dataset: DatasetRef,
) -> PublishedModel:
    """Push the tokenizer with its card to a repository of its own; the same one and config: the same revision."""
    hub = open_hub(run.settings)
    source = run.source(canonical(config), tokenizer=tokenizer, measured=measured, dataset=dataset)
    if (revision := hub.made_from("model", config.name, source)) is None:
        from tasks.formats.corpus import CORPUS_FILE, load_corpus
        from tasks.formats.tokenizer_report import read_learned, read_tokenizer_report
        from tasks.tokenizers.code.publishing.card import TokenizerFacts
        from tasks.tokenizers.code.publishing.publish import assemble

        facts = TokenizerFacts(
            config=config.model_copy(update={"name": hub.name(config.name)}),
            learned=read_learned(run.part(tokenizer, LEARNED_FILE)),
            measured=read_tokenizer_report(run.part(measured, REPORT_FILE)),
            corpus=load_corpus(run.part(dataset, CORPUS_FILE)),
            tokenizer=tokenizer.digest,
            dataset=dataset.digest,
        )
        with tempfile.TemporaryDirectory(prefix="stillhouse-tokenizer-") as scratch:
            folder = assemble(facts, run.path(tokenizer), Path(scratch) / "tokenizer")
            message = f"Tokenizer {tokenizer.digest[:12]}"
            revision = hub.push("model", config.name, folder, message, source=source)
    run.flow.say(f"  pushed   the tokenizer to {hub.address('model', config.name)}")
    return PublishedModel(repo=revision.repo, revision=revision.revision, path=revision.path)
