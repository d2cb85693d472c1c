"""The teacher: a pretrained sentence encoder, its head first, then everything together.

Fine-tuning with a fresh head distorts the pretrained vectors in the first steps, before the head is any good.
So the head is made first, by a logistic regression on the frozen vectors, and then all is trained at a small
rate (linear probing, then fine-tuning: Kumar et al. 2022, Fine-Tuning can Distort Pretrained Features and
Underperform Out-of-Distribution, section 3).
"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from transformers import PreTrainedTokenizerBase

from infra.errors import ConfigError, DataError
from tasks.formats.checkpoint import CheckpointInfo
from tasks.formats.dataset import load_info, load_split
from tasks.models.batching import encode_to_disk
from tasks.models.device import accelerated_device
from tasks.models.inference import embed_and_classify
from tasks.models.loading import load_tokenizer, longest_row
from tasks.models.model import SentenceClassifier
from tasks.training.fine_tuning.config import TrainConfig
from tasks.training.fine_tuning.probe import probe
from tasks.training.loop.loop import Observe
from tasks.training.milestones import Milestones, move_milestones
from tasks.training.precision import autocast
from tasks.training.text_objective import LabelledRows, TextRows, fit_texts
from tasks.training.validation import validation


def train_teacher(
    config: TrainConfig, base_dir: Path, dataset_dir: Path, output_dir: Path, work_dir: Path, log: Observe
) -> Mapping[str, float]:
    """Train the encoder in `base_dir` on the curated data set in `dataset_dir`; write a checkpoint to
    `output_dir`.

    `work_dir` keeps the loop's checkpoints: called again after a kill, it goes on and writes the same bytes.

    Returns:
        `probe_accuracy` (validation, head alone), the validation metrics of the best epoch, `best_epoch`,
        `steps`.

    Raises:
        ConfigError: `max_length` or `epochs` is not set, or `max_length` is more than the encoder has
        positions for.
        DataError: a split has too few rows or labels.
        ArtifactError: base model or data set is damaged.
    """
    info = load_info(dataset_dir)
    train, held_out = load_split(dataset_dir, "train"), load_split(dataset_dir, "validation")
    if (found := len(set(train.labels.tolist()))) < 2:
        raise DataError(
            f"the training split of {dataset_dir} has {found} label(s): expected at least two. Look at "
            "the curate stage's report for where the others went."
        )
    tokenizer, model = load_tokenizer(base_dir), SentenceClassifier.from_base(base_dir, len(info.labels))
    max_length = _checked_length(config, model, tokenizer)
    rows = encode_to_disk(tokenizer, train.texts, max_length, work_dir)
    with autocast(config.mixed_precision, accelerated_device()):
        vectors = embed_and_classify(model, rows, tokenizer.pad_token_id).vectors
    probe(model.head, vectors, train.labels, config.probe_c)
    validate = validation(held_out, info, tokenizer, max_length, config.mixed_precision)
    written = CheckpointInfo(labels=info.labels, out_of_scope=info.out_of_scope, max_length=max_length)
    if config.method == "linear_probe":
        metrics = validate(model).metrics
    else:
        model.body.get_input_embeddings().requires_grad_(not config.freeze_words)
        texts = TextRows.asked(rows, tokenizer.pad_token_id, config)
        objective = LabelledRows(texts, train.labels)
        kept = Milestones(config.milestone_every, partial(model.save, tokenizer=tokenizer, info=written))
        progress = fit_texts(model, objective, config, validate, work_dir, log, kept)
        move_milestones(work_dir, output_dir)
        metrics = progress.best_metrics | {"best_epoch": progress.best_epoch, "steps": progress.step}
    model.save(output_dir, tokenizer, written)
    return metrics


def _checked_length(
    config: TrainConfig, model: SentenceClassifier, tokenizer: PreTrainedTokenizerBase
) -> int:
    most = longest_row(model.body, tokenizer)
    if config.max_length is None or config.max_length > most:
        raise ConfigError(
            f"train.max_length is {config.max_length}: expected a number of tokens up to the encoder's {most}. "
            "Give --train.max-length."
        )
    return config.max_length
