"""Train a causal language model on a packed corpus, from fresh weights or from another one's.

    python -m flows.pretrain --preset smoke

What is read is a function of seed and step, so a run that was killed goes on at the very window.
"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np

from infra.errors import ConfigError, DataError
from tasks.formats.packed_corpus import TRAIN, VALIDATION, PackedCorpus, open_part, read_packed_corpus
from tasks.metrics.perplexity import perplexity_of
from tasks.models.gpt.model import Gpt
from tasks.models.loading import load_tokenizer
from tasks.training.causal_lm.config import PretrainConfig
from tasks.training.causal_lm.measure import Cost, cost_of_windows
from tasks.training.causal_lm.objective import CausalLmObjective
from tasks.training.causal_lm.speed import Speed
from tasks.training.loop.budget import Budget
from tasks.training.loop.loop import Evaluated, Evaluation, Observe, fit
from tasks.training.loop.sampler import Shuffled
from tasks.training.milestones import Milestones, move_milestones

EVALUATIONS = 10  # at least so many in a training whose config does not say


def pretrain(
    config: PretrainConfig, model_dir: Path, tokens_dir: Path, output_dir: Path, work_dir: Path, log: Observe
) -> Mapping[str, float]:
    """Train the model in `model_dir` on the training part of a packed corpus, and write its best weights on validation.

    `work_dir` keeps the loop's checkpoints: called again after a kill, it goes on and writes the same bytes.

    Returns:
        `validation_causal_lm` (nats a token), `validation_perplexity` and `validation_bits_per_byte` of the best weights and,
        as `last_...`, of the last; `best_epoch`, `steps`, `tokens`.

    Raises:
        ArtifactError: model or tokens are damaged.
        ConfigError: no budget is set; tokens and model have different vocabularies.
        DataError: a part does not fill one window.
    """
    model, tokenizer, corpus = Gpt.load(model_dir), load_tokenizer(model_dir), read_packed_corpus(tokens_dir)
    windows = open_part(tokens_dir, TRAIN).windows(model.context)
    check_vocabulary(model, corpus, tokens_dir)
    if not len(windows):
        raise DataError(
            f"the training part has {corpus.parts[TRAIN].tokens:,} tokens: expected more than {model.context:,}, which is "
            "one window of this model. Give more files, or a smaller model.context."
        )
    objective = CausalLmObjective(windows, corpus.quality_ids, config.within_documents, config.optimizer)
    sampler = Shuffled(len(windows), config.batch_size, config.seed)
    read = len(windows) * model.context
    total = Budget(config.epochs, config.steps, config.tokens).to_steps(sampler.steps_per_epoch, read)
    interval = config.evaluate_every or max(1, min(sampler.steps_per_epoch, total // EVALUATIONS))
    evaluate = on_validation(config, corpus, tokens_dir, model.context)
    kept = Milestones(config.milestone_every, partial(model.save, tokenizer=tokenizer))
    asked, keep = config.model_copy(update={"evaluate_every": interval}), kept.keeper(work_dir, interval)
    observe = Speed(model, log)
    progress = fit(model, objective, sampler, asked, evaluate, work_dir, observe, read, keep)
    move_milestones(work_dir, output_dir)
    model.save(output_dir, tokenizer)
    last = {
        f"last_{name.removeprefix('validation_')}": value for name, value in progress.last_metrics.items()
    }
    seen = float(progress.step * config.batch_size * model.context)
    ended = {"best_epoch": progress.best_epoch, "steps": progress.step, "tokens": seen}
    return progress.best_metrics | last | ended


def check_vocabulary(model: Gpt, corpus: PackedCorpus, tokens_dir: Path) -> None:
    """Raises ConfigError when the tokens are not those of the model's tokenizer."""
    there, known = open_part(tokens_dir, TRAIN).info.vocabulary.size, int(model.model.config.vocab_size)
    if there != known:
        raise ConfigError(
            f"the corpus was packed with {there:,} tokens and the model knows {known:,}: expected one tokenizer for both. "
            "Pack the corpus with the model's, or begin a fresh model."
        )


def on_validation(
    config: PretrainConfig, corpus: PackedCorpus, tokens_dir: Path, length: int
) -> Evaluation[Gpt]:
    """What the loop validates by: the lower the loss on windows of the validation part, the better.

    Raises DataError when it does not fill one window.
    """
    packed, part = open_part(tokens_dir, VALIDATION), corpus.parts[VALIDATION]
    windows = packed.windows(length)
    if not len(windows):
        raise DataError(
            f"the validation part has {part.tokens:,} tokens: expected more than {length:,}, which is one window of this "
            "model. Set more files aside for it, or take a smaller model.context."
        )
    chosen = np.unique(np.linspace(0, len(windows) - 1, config.validation_windows).round().astype(np.int64))
    rows, unasked, size = windows[chosen], corpus.quality_ids, part.bytes / part.tokens

    def evaluate(model: Gpt) -> Evaluated:
        cost = cost_of_windows(model, rows, unasked, config.batch_size, config.mixed_precision)
        return Evaluated(-cost.mean, told(cost, rows[:, 1:].size * size))

    return evaluate


def told(cost: Cost, size: float) -> dict[str, float]:
    """A cost as the observer has it; `size` in bytes, by the mean bytes of a token of the part."""
    return {
        "validation_causal_lm": cost.mean,
        "validation_perplexity": perplexity_of(cost.mean),
        "validation_bits_per_byte": cost.bits_per_byte(size),
    }
