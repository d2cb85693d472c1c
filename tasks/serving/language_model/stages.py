"""Publish an adapted language model. (Domain imports are inside: what is there already never pays for them.)"""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from infra.engine.action import ActionRun, action
from infra.errors import ArtifactError
from infra.hub.connect import open_hub
from infra.store.fingerprint import canonical
from infra.store.record import InputRecord, Record
from infra.store.references import ArtifactRef
from tasks.formats.extraction import RECORD_FILE
from tasks.formats.kinds import CheckpointRef, DatasetRef, ReportRef, SourceRef
from tasks.formats.published_model import PublishedModel
from tasks.formats.report_file import REPORT_FILE
from tasks.serving.language_model.config import PublishAdaptedConfig, PublishPretrainedConfig

if TYPE_CHECKING:
    from tasks.formats.extraction import Source
    from tasks.serving.language_model.facts import AdaptedFacts, ReadText


@action(version=1)
def publish_adapted(
    run: ActionRun,
    config: PublishAdaptedConfig,
    model: CheckpointRef,
    evaluation: ReportRef,
    ngrams: ReportRef,
    base_model: str,
) -> PublishedModel:
    """Push the adapted model with its card to the Hub, as `main`; the same model, figures and config give the same revision."""
    hub = open_hub(run.settings)
    source = run.source([canonical(config), base_model], model=model, evaluation=evaluation, ngrams=ngrams)
    if (revision := hub.made_from("model", config.name, source)) is None:
        from tasks.serving.language_model.publish import assemble

        with tempfile.TemporaryDirectory(prefix="stillhouse-model-") as scratch:
            shown = config.model_copy(update={"name": hub.name(config.name)})
            facts = _facts(run, shown, model, evaluation, ngrams, base_model)
            folder = assemble(facts, run.path(model), Path(scratch) / "model")
            message = f"Language model {model.digest[:12]}"
            revision = hub.push("model", config.name, folder, message, source=source)
    run.flow.say(f"  pushed   the model to {hub.address('model', config.name)}")
    return PublishedModel(repo=revision.repo, revision=revision.revision, path=revision.path)


@action(version=1)
def push_fresh(run: ActionRun, config: PublishPretrainedConfig, model: CheckpointRef) -> PublishedModel:
    """The model before it has read anything, as a commit on the run's branch; it never becomes `main`."""
    hub, source = open_hub(run.settings), run.source(config.name, model=model)
    folder = run.path(model)
    revision = hub.push("model", config.name, folder, "Fresh weights", source=source, main=False)
    return PublishedModel(repo=revision.repo, revision=revision.revision, path=revision.path)


@action(version=1)
def publish_pretrained(
    run: ActionRun,
    config: PublishPretrainedConfig,
    recipe: str,
    model: CheckpointRef,
    corpus: DatasetRef,
    measured: Mapping[str, ReportRef],
) -> PublishedModel:
    """Push a model that was begun from nothing, its card and the recipe that it was made by, as `main`.

    `recipe` is the flow's config as YAML; `measured` has its evaluation, ngrams, completions and memorisation.
    """
    hub = open_hub(run.settings)
    source = run.source([canonical(config), recipe], model=model, corpus=corpus, **measured)
    if (revision := hub.made_from("model", config.name, source)) is None:
        from tasks.serving.language_model.pretrained import PretrainedFacts, assemble_pretrained

        made = _record(run, model)
        reports = {name: run.part(ref, REPORT_FILE) for name, ref in measured.items()}
        facts = PretrainedFacts.read(
            config.model_copy(update={"name": hub.name(config.name)}),
            recipe,
            reports,
            run.path(corpus),
            made.metrics,
            (model.uri, model.digest, made.code_revision or "unknown"),
        )
        with tempfile.TemporaryDirectory(prefix="stillhouse-model-") as scratch:
            folder = assemble_pretrained(facts, run.path(model), Path(scratch) / "model")
            message = f"Language model {model.digest[:12]}"
            revision = hub.push("model", config.name, folder, message, source=source)
    run.flow.say(f"  pushed   the model to {hub.address('model', config.name)}")
    return PublishedModel(repo=revision.repo, revision=revision.revision, path=revision.path)


def _facts(
    run: ActionRun,
    config: PublishAdaptedConfig,
    model: CheckpointRef,
    evaluation: ReportRef,
    ngrams: ReportRef,
    base_model: str,
) -> "AdaptedFacts":
    """What the artifacts and their records say."""
    from tasks.baselines.ngrams.perplexity import NgramPerplexities
    from tasks.formats.lm_report import read_lm_evaluation
    from tasks.formats.report_file import read_report
    from tasks.models.pretrained.hub_name import hub_id, stated_licence
    from tasks.serving.language_model.facts import AdaptedFacts, BaseModel, NewHead
    from tasks.training.masked_lm.config import AdaptConfig

    made = _record(run, model)
    base, head = made.inputs["base"], None
    given = run.record(_ref(base))
    if given is not None and given.stage == "give_head":
        head = NewHead(int(given.metrics["steps"]), _text(run, given.inputs["tokens"]))
        base = given.inputs["base"]
    made_here = run.record(_ref(base)) is not None
    licence = None if made_here else stated_licence(run.path(_ref(base)))
    return AdaptedFacts(
        config=config,
        base=BaseModel(hub_id(base_model), licence, base.digest),
        head=head,
        text=_text(run, made.inputs["tokens"]),
        training=AdaptConfig.model_validate(made.config),
        trained=made.metrics,
        evaluation=read_lm_evaluation(run.part(evaluation, REPORT_FILE)),
        ngrams=read_report(run.part(ngrams, REPORT_FILE), NgramPerplexities),
        checkpoint=model.uri,
        digest=model.digest,
        masks=made.inputs["masks"].digest,
    )


def _text(run: ActionRun, tokens: InputRecord) -> "ReadText":
    """What was packed into these tokens: the tables as they lie, or rows with labels that were extracted and curated."""
    from tasks.formats.packing_report import read_packing
    from tasks.serving.language_model.facts import ReadText

    texts = _record(run, _ref(tokens)).inputs["texts"]
    packing = read_packing(run.part(_ref(tokens), REPORT_FILE))
    return ReadText(packing, _sources(run, texts), texts.digest, tokens.digest)


def _sources(run: ActionRun, texts: InputRecord) -> "tuple[Source, ...]":
    if texts.kind == SourceRef.__name__:
        from tasks.data.extraction.source import found_again

        return found_again(None, SourceRef(uri=texts.uri, digest=texts.digest)).described
    from tasks.formats.extraction import read_record

    extracts = _record(run, _ref(texts)).inputs.values()
    records = [read_record(run.part(_ref(extract), RECORD_FILE)) for extract in extracts]
    return tuple(dict.fromkeys(source for record in records for source in record.sources))


def _ref(given: InputRecord) -> ArtifactRef:
    return ArtifactRef(uri=given.uri, digest=given.digest)


def _record(run: ActionRun, ref: ArtifactRef) -> Record:
    found = run.record(ref)
    if found is None:
        raise ArtifactError(
            f"{ref.uri} has no record: expected an artifact of this home, whose record a card is made from. Run the flow "
            "again: it makes it again."
        )
    return found
