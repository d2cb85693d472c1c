"""Train a masked language model on packed text: adapt one to a domain, or give an encoder a head first."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

from transformers import PreTrainedTokenizerBase

from infra.errors import ConfigError
from tasks.formats.frozen_masks import FrozenMasks, read_frozen
from tasks.formats.packed_tokens import PackedTokens, open_packed
from tasks.formats.packing_report import read_packing
from tasks.models.architecture import architecture_of
from tasks.models.device import accelerated_device
from tasks.models.dropout import with_dropout
from tasks.models.loading import load_tokenizer
from tasks.models.masked_lm import MaskedLanguageModel
from tasks.training.loop.budget import Budget
from tasks.training.loop.checkpoint import Progress
from tasks.training.loop.loop import Observe, fit
from tasks.training.loop.sampler import Shuffled
from tasks.training.masked_lm.blocks import token_counts
from tasks.training.masked_lm.config import AdaptConfig, FrozenConfig, HeadConfig
from tasks.training.masked_lm.frozen import on_frozen_masks
from tasks.training.masked_lm.keep import KeepingObjective
from tasks.training.masked_lm.masking import Vocabulary
from tasks.training.masked_lm.objective import MaskedLmObjective
from tasks.training.milestones import Milestones, move_milestones

EVALUATIONS = 10  # at least so many in a training whose config does not say


class Text(NamedTuple):
    """What is trained on, in blocks of `length` tokens, and what picks the best weights."""

    packed: PackedTokens
    length: int
    validation: FrozenMasks

    @property
    def vocabulary(self) -> Vocabulary:
        """What masking needs of it. Raises ConfigError when its tokenizer has no mask token."""
        return Vocabulary.of_packed(self.packed.info.vocabulary)


def read_text(packed_dir: Path, frozen_dir: Path) -> Text:
    """The packed training split, and the validation's masks. Raises ArtifactError when they are damaged."""
    packed = open_packed(packed_dir / "train")
    return Text(packed, read_packing(packed_dir).length, read_frozen(frozen_dir / "validation"))


def adapt(
    config: AdaptConfig,
    base_dir: Path,
    packed_dir: Path,
    frozen_dir: Path,
    output_dir: Path,
    work_dir: Path,
    log: Observe,
) -> Mapping[str, float]:
    """Go on with the pre-training of the masked language model in `base_dir` on the packed training text.

    `frozen_dir` has the validation's masks, which pick the best weights. `work_dir` keeps the loop's checkpoints: called again
    after a kill, it goes on and writes the same bytes.

    Returns:
        `validation_masked_lm` (nats a hidden token) and `validation_perplexity` of the best weights and, as `last_...`, of the
        last; `best_epoch`, `steps`.

    Raises:
        ArtifactError: base model, tokens or masks are damaged, or the base model has no head.
        ConfigError: no budget is set, or more layers are to be frozen than there are.
        DataError: the text does not fill one block.
    """
    model, tokenizer = MaskedLanguageModel.load(base_dir), load_tokenizer(base_dir)
    freeze_lower(model, config.freeze_layers)
    given = read_text(packed_dir, frozen_dir)
    objective = masked_lm_objective(config, given)
    if config.keep_weight:
        before = MaskedLanguageModel.load(base_dir)
        objective = KeepingObjective(objective, before, config.keep_weight)
    return train_masked_lm(model, tokenizer, objective, config, given, output_dir, work_dir, log)


def give_head(
    config: HeadConfig,
    base_dir: Path,
    packed_dir: Path,
    frozen_dir: Path,
    output_dir: Path,
    work_dir: Path,
    log: Observe,
) -> Mapping[str, float]:
    """Give the encoder in `base_dir` a head for masked language modelling, trained on general text; the encoder stays.

    Returns and raises what `adapt` does.
    """
    given = read_text(packed_dir, frozen_dir)
    counts = token_counts(given.packed.blocks(given.length), given.vocabulary)
    model = MaskedLanguageModel.load(base_dir, counts)
    model.body.requires_grad_(False)
    objective, tokenizer = masked_lm_objective(config, given), load_tokenizer(base_dir)
    return train_masked_lm(model, tokenizer, objective, config, given, output_dir, work_dir, log)


def freeze_lower(model: MaskedLanguageModel, layers: int) -> None:
    """Keep the embeddings and the lowest `layers` as they are. Raises ConfigError when there are not so many."""
    if not layers:
        return
    body, found = model.body, architecture_of(model.body).layers_of(model.body)
    if layers > len(found):
        raise ConfigError(f"freeze_layers is {layers}: expected at most the model's {len(found)}.")
    for part in (body.get_submodule("embeddings"), *found[:layers]):
        part.requires_grad_(False)


def masked_lm_objective(config: AdaptConfig, given: Text) -> MaskedLmObjective:
    """Masked language modelling over the text's blocks, as a training's config has it."""
    return MaskedLmObjective(
        given.packed.blocks(given.length), config.masking, given.vocabulary, config.optimizer
    )


def set_up(model: MaskedLanguageModel, dropout: float) -> MaskedLanguageModel:
    """The model with its dropout, and with the attention that trains quickest on this machine; returns it."""
    if accelerated_device().type == "cpu":
        # Fused attention's backward pass there: 3 layers of 384, 16 blocks of 128 take 0.37 s with it and 0.26 s without.
        model.body.set_attn_implementation("eager")
    return with_dropout(model, dropout)


def train_masked_lm(
    model: MaskedLanguageModel,
    tokenizer: PreTrainedTokenizerBase,
    objective: MaskedLmObjective,
    config: AdaptConfig,
    given: Text,
    output_dir: Path,
    work_dir: Path,
    log: Observe,
) -> Mapping[str, float]:
    """Train `model` by `objective` over its blocks and write the best weights; returns and raises what `adapt` does."""
    blocks = len(objective.blocks)
    sampler = Shuffled(blocks, config.batch_size, config.seed)
    budget, tokens = Budget(config.epochs, config.steps, config.tokens), blocks * given.length
    total = budget.to_steps(sampler.steps_per_epoch, tokens)
    interval = config.evaluate_every or max(1, min(sampler.steps_per_epoch, total // EVALUATIONS))
    evaluate = on_frozen_masks(given.validation, FrozenConfig(), config.mixed_precision)
    set_up(model, config.dropout)
    kept = Milestones(config.milestone_every, partial(model.save, tokenizer=tokenizer))
    asked = config.model_copy(update={"evaluate_every": interval})
    keep = kept.keeper(work_dir, interval)
    progress: Progress = fit(model, objective, sampler, asked, evaluate, work_dir, log, tokens, keep)
    move_milestones(work_dir, output_dir)
    model.save(output_dir, tokenizer)
    ended = {
        f"last_{name.removeprefix('validation_')}": value for name, value in progress.last_metrics.items()
    }
    return progress.best_metrics | ended | {"best_epoch": progress.best_epoch, "steps": progress.step}
