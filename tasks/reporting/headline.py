"""What a run comes to, ahead of its stages: the verdict with its reasons, and the models side by side.

Sections like those of the stages, of values that no single stage has.
"""

from tasks.evaluation.comparison import ComparisonRow, comparison_table
from tasks.evaluation.tradeoff import draw_tradeoff
from tasks.figures.svg import as_svg
from tasks.formats.release_record import ReleaseRecord
from tasks.formats.roles import BASELINE, YARDSTICK
from tasks.formats.section import Column, Fact, Figure, Section, Table
from tasks.formats.shares import Shares, shares_note
from tasks.reporting.summary import RunSummary, StageSummary

SHORT = 12  # digits of a digest, enough to find it by
NO_RELEASE = "none: the candidate is registered as challenger only"
COMPARED = (
    f"{BASELINE} is what one would pick instead: TF-IDF of words and characters with logistic regression and the same "
    f"out-of-scope rule. {YARDSTICK} is a PyTorch BERT-base of random weights, for latency and size only. Sizes count every "
    "file that inference needs; p50 is of one query with its tokenizer, p95 over test texts, throughput in batches. Times "
    f"faster and smaller: than {YARDSTICK}; the 95% interval is over the rounds of this run, on this machine."
)
TIMES = (
    Column(name="name", heading="stage"),
    Column(name="state", heading="state"),
    Column(name="seconds", heading="seconds", places=1, meter=True),
    Column(name="key", heading="key", code=True),
    Column(name="digest", heading="digest", code=True),
)


def verdict_section(summary: RunSummary) -> Section:
    """The gate's reasons, where the release lies, and what else a person should know."""
    record = summary.record
    said = (record.note, record.unregistered) if record else ()
    return Section(
        title="Verdict",
        warnings=tuple(sentence for sentence in said if sentence),
        lines=summary.gate.reasons if summary.gate else (),
        facts=_release(summary.release, record) if record else (),
    )


def comparison_section(rows: tuple[ComparisonRow, ...], shares: Shares | None) -> Section:
    """Every model's quality, size and speed, and what one buys with the other."""
    tradeoff = draw_tradeoff(rows)
    notes = tuple(note for note in (shares_note(shares), COMPARED) if note)
    drawn = (Figure(title="Accuracy against latency", svg=as_svg("tradeoff", tradeoff)),) if tradeoff else ()
    return Section(title="Comparison", tables=(comparison_table(rows, shares),), notes=notes, figures=drawn)


def times_section(stages: tuple[StageSummary, ...], seconds: float) -> Section:
    """How long each stage took in this run; one that was cached, how long it was looked for."""
    cached = tuple(stage for stage in stages if stage.state == "cached")
    rows = tuple(
        stage.model_dump() | {"name": stage.shown, "key": stage.key[:SHORT], "digest": stage.digest[:SHORT]}
        for stage in stages
    )
    return Section(
        title="Times",
        lines=(f"{seconds:.0f} s in all; {len(cached)} of {len(stages)} stages were cached.",),
        tables=(Table(columns=TIMES, rows=rows),),
    )


def _release(path: str | None, record: ReleaseRecord) -> tuple[Fact, ...]:
    facts = [Fact(label="release", value=path or NO_RELEASE)]
    if record.revision:
        facts.append(Fact(label="Hub", value=record.name, hint=f"revision {record.revision[:SHORT]}"))
    version = f"version {record.registered_version} ({', '.join(record.aliases)})"
    hint = version if record.registered_version else "not registered: see above"
    facts.append(Fact(label="MLflow registry", value=record.registered_name, hint=hint))
    return (*facts, Fact(label="model file", value=record.model_sha256, hint="sha256"))
