"""What a run of `flows.adapt` was: the JSON of its `--report FILE.json`. Its schema is `docs/adapt-report.schema.json`.

Write the schema anew with `.venv/bin/python -m tasks.reporting.adapt_summary > docs/adapt-report.schema.json`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from pydantic import ConfigDict, Field

from tasks.formats.encoder_comparison import (
    ComparedEncoder,
    EncoderComparison,
    Recommendation,
    read_comparison,
)
from tasks.formats.lm_report import Filled, LmEvaluation, read_lm_evaluation
from tasks.formats.model_facts import read_json
from tasks.formats.packing_report import PackingReport, read_packing
from tasks.formats.published_model import PublishedModel
from tasks.formats.report_file import REPORT_FILE
from tasks.formats.roles import ADAPTED, PLAIN
from tasks.formats.value import Value
from tasks.reporting.language_model_summary import LanguageModelRecord, LanguageModelSummary, run_facts
from tasks.reporting.summary import Run, schema_text

PROBED, FINE_TUNED = "probed", "fine-tuned"
NGRAMS, WHOLE = (
    "ngrams",
    "whole",
)  # counted in what the model read; in all of the training text, where it read a part


class Trained(NamedTuple):
    """A training's course: step and perplexity on validation in their order, and blocks of a step."""

    curve: Sequence[tuple[int, float]]
    batch_size: int


class Perplexities(Value):
    """Of the hidden tokens of the test split, before and after; of validation's on the way."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")  # JSON has no infinity

    before: float = Field(description="the base model, with a head")
    end: float = Field(description="the adapted model: its best weights on validation")
    best: float = Field(description="the lowest on validation")
    curve: tuple[tuple[int, float], ...] = Field(description="step and perplexity on validation")

    @property
    def kept(self) -> int:
        """Step of the weights that were kept; 0: those it began with."""
        return min(self.curve, key=lambda point: point[1])[0]


class NgramBaselines(Value):
    """n-grams on the same hidden tokens."""

    unigram: float
    two_sided_hidden: float = Field(description="sees exactly what the model sees")
    two_sided_clean: float = Field(description="sees the true neighbours, which the model does not")


class BlockCounts(Value):
    """The packed training split."""

    length: int = Field(description="tokens of a block")
    train: int = Field(description="whole blocks")
    read: int = Field(description="blocks read in training; one that was read twice counts twice")
    dropped: int = Field(description="tokens behind the last one")
    tokens: int
    dropped_by_the_thousand: int = Field(
        description="blocks fewer where what is left is dropped every 1,000 rows"
    )


class Adapted(Value):
    """What came of it."""

    checkpoint: str
    evaluation: str
    perplexity: Perplexities
    ngram: NgramBaselines = Field(description="counted in the blocks that the model read")
    ngram_whole: NgramBaselines | None = Field(
        None, description="counted in all of the training text; null where the model read all of it"
    )
    documents: int = Field(description="texts of the test split that were measured on")
    hidden: int = Field(description="their hidden tokens")
    fills: dict[str, tuple[Filled, ...]] = Field(description="before and after")
    blocks: BlockCounts
    classifiers: dict[str, tuple[ComparedEncoder, ...]] = Field(
        description="of each encoder, probed or fine-tuned, at each number of labels; empty without rows with labels"
    )
    recommended: dict[str, tuple[Recommendation, ...]] = Field(
        description="which encoder to take for how many labels"
    )


class AdaptSummary(LanguageModelSummary):
    """One run of `flows.adapt`."""

    adapt: Adapted
    published: PublishedModel


def read_adapted(uris: Mapping[str, str], folders: Mapping[str, Path], trained: Trained) -> Adapted:
    """The same from the stages' folders, by the names that `report_adapt` has for them."""
    return adapted(
        {name: uris[name] for name in ("checkpoint", "evaluation")},
        read_lm_evaluation(folders["evaluation"]),
        {name: read_json(folders[name] / REPORT_FILE) for name in (NGRAMS, WHOLE) if name in folders},
        read_packing(folders["tokens"]),
        trained,
        {name: read_comparison(folders[name]) for name in (PROBED, FINE_TUNED) if name in folders},
    )


def adapted(
    uris: Mapping[str, str],
    evaluation: LmEvaluation,
    ngrams: Mapping[str, Mapping[str, float]],
    packing: PackingReport,
    trained: Trained,
    comparisons: Mapping[str, EncoderComparison],
) -> Adapted:
    """Put together what the stages measured, and how the checkpoint was trained."""
    by_name = {model.name: model for model in evaluation.models}
    train = packing.splits["train"]
    return Adapted(
        **uris,
        perplexity=Perplexities(
            before=by_name[PLAIN].perplexity,
            end=by_name[ADAPTED].perplexity,
            best=min(value for _, value in trained.curve),
            curve=tuple(trained.curve),
        ),
        ngram=_baselines(ngrams[NGRAMS]),
        ngram_whole=_baselines(ngrams[WHOLE]) if WHOLE in ngrams else None,
        documents=evaluation.documents,
        hidden=evaluation.hidden,
        fills={"before": by_name[PLAIN].filled, "after": by_name[ADAPTED].filled},
        blocks=BlockCounts(
            length=packing.length,
            train=train.blocks,
            read=blocks_read(trained.curve[-1][0], trained.batch_size, train.blocks),
            dropped=train.dropped,
            tokens=train.tokens,
            dropped_by_the_thousand=train.blocks - train.blocks_in_thousands,
        ),
        classifiers={name: found.encoders for name, found in comparisons.items()},
        recommended={name: found.recommended for name, found in comparisons.items()},
    )


def _baselines(measured: Mapping[str, float]) -> NgramBaselines:
    return NgramBaselines(**{name: measured[name] for name in NgramBaselines.model_fields})


def blocks_read(steps: int, batch_size: int, blocks: int) -> int:
    """Blocks of so many steps, where the last step of a pass over `blocks` has what is left."""
    passes, rest = divmod(steps, -(-blocks // batch_size))
    return passes * blocks + rest * batch_size


def summarise_adapted(
    run: Run, found: Adapted, published: PublishedModel, page: Path, machine: dict[str, str]
) -> AdaptSummary:
    """The run that ended in `found`, `published` on the Hub, and is shown on `page`."""
    return AdaptSummary(adapt=found, published=published, **run_facts(run, page, machine))


def read_adapt_summary(record: LanguageModelRecord) -> AdaptSummary:
    """The JSON of the run that made a record."""
    return AdaptSummary.model_validate_json(Path(record.summary).read_bytes())


if __name__ == "__main__":
    print(schema_text(AdaptSummary))
