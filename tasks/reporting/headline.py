"""What a run that ends in a classifier comes to, ahead of its stages: verdict, figures, reasons, the models side by side.

Sections like those of the stages, of values that no single stage has.
"""

from collections.abc import Iterator

from tasks.evaluation.comparison import ComparisonRow, comparison_table, interval_text, ratio_text
from tasks.evaluation.tradeoff import draw_tradeoff
from tasks.figures.svg import as_svg
from tasks.formats.release_record import ReleaseRecord
from tasks.formats.roles import BASELINE, CANDIDATE, REFERENCE, YARDSTICK
from tasks.formats.section import Fact, Figure, Section
from tasks.formats.shares import Shares, percent, shares_note
from tasks.reporting.html import Headline, Tile
from tasks.reporting.sections import SHORT
from tasks.reporting.summary import RunSummary

VERDICTS = {"pass": "Pass: released", "fail": "Fail: not released", "needs_more_rows": "Needs more test rows"}
TAKEN_DOWN = "Pass: not released again"
NO_RELEASE = "none: the candidate is registered as challenger only"
COMPARED = (
    f"{BASELINE} is what one would pick instead: TF-IDF of words and characters with logistic regression and the same "
    f"out-of-scope rule. {YARDSTICK} is a PyTorch BERT-base of random weights, for latency and size only. Sizes count every "
    "file that inference needs; p50 is of one query with its tokenizer, p95 over test texts, throughput in batches. Times "
    f"faster and smaller: than {YARDSTICK}; the 95% interval is over the rounds of this run, on this machine."
)


def run_headline(summary: RunSummary) -> Headline:
    """The verdict, and what the candidate comes to."""
    candidate = summary.row(CANDIDATE)
    return Headline(
        verdict_line(summary),
        summary.verdict,
        lead=_lead(summary, candidate) if candidate else "",
        tiles=tuple(_tiles(summary, candidate)) if candidate else (),
    )


def verdict_line(summary: RunSummary) -> str:
    """What a run came to, in a few words."""
    return TAKEN_DOWN if summary.taken_down else VERDICTS[summary.verdict]


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


def _lead(summary: RunSummary, candidate: ComparisonRow) -> str:
    gate = summary.gate
    rows, below = "the", ""
    if gate:
        rows = f"{gate.rows:,}"
        fall = f"{-100 * gate.accuracy_difference:.1f}" if gate.accuracy_difference < 0 else "no"
        below = f", {fall} points below its {gate.reference}"
    return (
        f"{_share(candidate.accuracy)} of {rows} test rows right, in {candidate.p50_ms:.2f} ms a "
        f"query and {candidate.size_mb:.2f} MB: {ratio_text(candidate.latency_ratio)} times faster and "
        f"{candidate.size_ratio:.0f} times smaller than BERT-base{below}."
    )


def _tiles(summary: RunSummary, candidate: ComparisonRow) -> Iterator[Tile]:
    shares, interval = summary.shares, interval_text(candidate.latency_ratio_interval)
    known = f"macro F1 {candidate.macro_f1:.3f}"
    if shares and shares.source:
        known = (
            f"for {percent(shares.expected)} out of scope; {_share(candidate.accuracy_validation_share)} for validation's "
            f"{_share(shares.validation)}"
        )
    yield Tile(_share(candidate.accuracy), "accuracy", known)
    if baseline := summary.row(BASELINE):
        yield _over_baseline(summary, _points(candidate, baseline), _share(baseline.accuracy))
    if reference := summary.row(REFERENCE):
        hint = f"{reference.name} {_share(reference.accuracy)}"
        yield Tile(f"{_points(candidate, reference):+.1f}", f"points over {reference.name}", hint)
    faster = f"{ratio_text(candidate.latency_ratio)}x faster than BERT-base"
    yield Tile(f"{candidate.p50_ms:.2f} ms", "latency p50", f"{faster} ({interval})" if interval else faster)
    yield Tile(
        f"{candidate.size_mb:.2f} MB", "on disk", f"{candidate.size_ratio:.0f}x smaller than BERT-base"
    )
    yield Tile(f"{candidate.rows_per_s:,.0f}", "rows a second", "asked in batches")


def _over_baseline(summary: RunSummary, gain: float, of_baseline: str) -> Tile:
    said = ""
    if gain <= 0:
        said = "; does not beat it"
    elif summary.gate and summary.gate.beats_baseline is False:
        said = "; not shown to beat it"
    return Tile(f"{gain:+.1f}", "points over TF‑IDF", f"TF‑IDF {of_baseline}{said}", bad=gain <= 0)


def _points(row: ComparisonRow, other: ComparisonRow) -> float:
    return 100 * ((row.accuracy or 0.0) - (other.accuracy or 0.0))


def _share(value: float | None) -> str:
    return f"{100 * (value or 0.0):.1f}%"


def _release(path: str | None, record: ReleaseRecord) -> tuple[Fact, ...]:
    facts = [Fact(label="release", value=path or NO_RELEASE)]
    if record.revision:
        facts.append(Fact(label="Hub", value=record.name, hint=f"revision {record.revision[:SHORT]}"))
    version = f"version {record.registered_version} ({', '.join(record.aliases)})"
    hint = version if record.registered_version else "not registered: see above"
    facts.append(Fact(label="MLflow registry", value=record.registered_name, hint=hint))
    return (*facts, Fact(label="model file", value=record.model_sha256, hint="sha256"))
