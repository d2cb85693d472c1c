"""A run of `flows.adapt` that somebody could have had."""

from tasks.evaluation.encoders.compare import recommend
from tasks.formats.encoder_comparison import ComparedEncoder, EncoderComparison
from tasks.formats.lm_report import EvaluatedLm, Filled, GapFill, LmEvaluation
from tasks.formats.packing_report import PackedSplit, PackingReport
from tasks.formats.published_model import PublishedModel
from tasks.reporting.adapt_summary import Adapted, AdaptSummary, Trained, adapted
from tasks.reporting.summary import StageSummary

MARKUP = "<script>alert('from a token')</script>"
PUBLISHED = PublishedModel(
    repo="local/imdb-adapted", revision="94f113a0c2de4b5f", path="/home/hub/models/local/imdb-adapted/94f113a"
)
NGRAM = {"unigram": 878.0, "two_sided_hidden": 131.2, "two_sided_clean": 100.4}


def evaluated(name: str, perplexity: float, *tokens: str) -> EvaluatedLm:
    fills = tuple(GapFill(token=token, probability=0.38 - place / 10) for place, token in enumerate(tokens))
    filled = (Filled(text="This is a great [MASK].", fills=fills),)
    return EvaluatedLm(
        name=name, loss=4.0, perplexity=perplexity, filled=filled, parameters=22, layer_parameters=10
    )


def found(before: float = 374.4, after: float = 47.06, ngram: float = 131.2) -> Adapted:
    models = (evaluated("plain", before, "deal", ","), evaluated("adapted", after, "movie", MARKUP))
    train = PackedSplit(
        documents=75_000, empty=0, held_out=0, missing=0, tokens=20_000_100, longest=900, word_starts=None,
        blocks=156_250, dropped=100, blocks_in_thousands=156_211,
    )  # fmt: skip
    return adapted(
        {"checkpoint": "artifact:adapt/ed4a2840", "evaluation": "artifact:evaluate_lm/14c0ec97"},
        LmEvaluation(documents=1_000, hidden=18_034, models=models),
        {"ngrams": NGRAM | {"two_sided_hidden": ngram, "context_clean": 1.0}, "whole": NGRAM},
        PackingReport(length=128, splits={"train": train}),
        Trained([(0, 402.0), (1_250, 60.1), (2_500, 46.9)], 16),
        {"probed": compared()},
    )


def compared() -> EncoderComparison:
    """The adapted encoder is better with 8 labels, and with 2,000 nobody knows."""
    rows = [
        ComparedEncoder(
            name=name, labels=labels, accuracy=0.7, lowest=0.6, highest=0.8, difference=0.05, interval=interval,
            choice="layer 5, mean",
        )
        for labels, interval in ((8, (0.01, 0.09)), (2_000, (-0.02, 0.12)))
        for name in ("plain", "adapted")
    ]  # fmt: skip
    taken = tuple(recommend([row for row in rows if row.labels == labels]) for labels in (8, 2_000))
    return EncoderComparison(
        test_rows=2_000, seeds=5, confidence=0.95, encoders=tuple(rows), recommended=taken
    )


def run_of(told: Adapted) -> AdaptSummary:
    stages = tuple(
        StageSummary(name=name, state="computed", seconds=1.0, key=name, digest=name)
        for name in ("pack", "adapt")
    )
    return AdaptSummary(
        flow="adapt",
        adapt=told,
        published=PUBLISHED,
        stages=stages,
        seconds=61.0,
        report="/home/reports/1/report.html",
    )
