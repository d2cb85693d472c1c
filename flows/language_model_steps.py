"""Steps that flows of language models share: stages called in their order, nothing computed."""

from dataclasses import dataclass

from infra.engine.run import FlowRun

from flows.configs.language_model import LanguageModelConfig
from tasks.data.curation.config import CurateConfig
from tasks.data.curation.stages import curate
from tasks.data.extraction.config import ExtractConfig
from tasks.data.extraction.stages import extract, pin_sources, plan_extract
from tasks.data.packing.config import PackConfig
from tasks.data.packing.stages import pack
from tasks.formats.kinds import CheckpointRef, DatasetRef, MasksRef, SourceRef, TokensRef
from tasks.models.pretrained.stages import pin_base_model
from tasks.training.masked_lm.stages import freeze_masks, give_head
from tasks.training.sizes.stages import check_students
from tasks.training.stages import find_head


@dataclass(frozen=True)
class PreparedText:
    """What every training reads and is measured by; `plain` is `base` with a head, `rows` have labels, where there are some."""

    base: CheckpointRef
    tokens: TokensRef
    masks: MasksRef
    plain: CheckpointRef
    rows: DatasetRef | None


def prepare_text(run: FlowRun, config: LanguageModelConfig) -> PreparedText:
    """Pin the base model, pack the domain's text, freeze the evaluation's masks, give the base model a head."""
    base = pin_base_model(config.base)
    check_students(config.asked_shapes(), base)
    text, rows = given_rows(run, config)
    tokens = pack(config.pack, base, text)
    masks = freeze_masks(config.masks, tokens)
    return PreparedText(base, tokens, masks, with_head(config, base, tokens, masks), rows)


def given_rows(run: FlowRun, config: LanguageModelConfig) -> tuple[DatasetRef | SourceRef, DatasetRef | None]:
    """The domain's text, as its tables lie or curated, and rows with labels, where there are some."""
    sources = pin_sources(config.extract)
    text = sources if config.unlabelled else curated(run, config.dataset, config.extract, sources)
    if config.labelled.table or config.labelled.query:
        return text, curated(run, config.dataset, config.labelled, pin_sources(config.labelled))
    return text, None if isinstance(text, SourceRef) else text


def curated(run: FlowRun, kept: CurateConfig, asked: ExtractConfig, sources: SourceRef) -> DatasetRef:
    """Rows with labels in splits."""
    if run.options.dry_run:
        plan_extract(asked, sources)
    return curate(kept, extract(asked, sources))


def with_head(
    config: LanguageModelConfig, base: CheckpointRef, tokens: TokensRef, masks: MasksRef
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
