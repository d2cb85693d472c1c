"""What a run of `flows.adapt` comes to, ahead of its stages: perplexities beside those of n-grams, fills before and after."""

from collections.abc import Sequence

from tasks.evaluation.encoders.section import TAKEN
from tasks.formats.lm_report import GapFill
from tasks.formats.published_model import PublishedModel
from tasks.formats.roles import ADAPTED
from tasks.formats.section import Cell, Column, Fact, Section, Table, show
from tasks.reporting.adapt_summary import Adapted
from tasks.reporting.html import Headline, Tile

BEFORE, AFTER = "before", "after"
SEEING = "n-grams from both sides, seeing what the model sees"
WHOLE_TEXT = "n-grams of the whole training text, seeing what the model sees"
CLEAN = "n-grams from both sides, seeing the true neighbours"
PERPLEXITIES = (
    Column(name="name", heading="on the same hidden tokens"),
    Column(name="perplexity", heading="perplexity", places=2, meter=True),
)
FILLS = (
    Column(name="text", heading="text"),
    Column(name=BEFORE, heading="before"),
    Column(name=AFTER, heading=ADAPTED),
)
READ = (
    "Perplexity: among how many equally likely tokens the model is as undecided; the lower, the better. Which tokens are "
    "hidden was drawn once, 15% of each text: of these 80% are shown as the mask token, 10% as another token, 10% as they are. "
    "Models of another tokenizer have other tokens to find: their perplexities do not compare."
)


def adapt_headline(found: Adapted) -> Headline:
    """Whether the model is better than before, and than counting; perplexities, what was read, which weights were kept."""
    perplexity, blocks = found.perplexity, found.blocks
    counted, whole = found.ngram.two_sided_hidden, (found.ngram_whole or found.ngram).two_sided_hidden
    before, end, seeing = (show(value, 1) for value in (perplexity.before, perplexity.end, counted))
    better, than_ngrams = perplexity.end < perplexity.before, perplexity.end < counted
    verdict, mark = "Not better than before", "fail"
    if better:
        verdict, mark = "Better than before, not than n-grams", "unsure"
    if better and than_ngrams:
        verdict, mark = "Better than before and than n-grams of what it read", "pass"
    of_all = f" ({show(whole, 1)} where they count the whole training text)" if found.ngram_whole else ""
    best = f"perplexity on validation {show(perplexity.best, 1)}"
    return Headline(
        verdict,
        mark,
        lead=f"Perplexity {before} before, {end} after reading {blocks.read:,} blocks of {blocks.length:,} tokens; {seeing} by "
        f"n‑grams of these that see the same{of_all}. On {found.hidden:,} hidden tokens of {found.documents:,} texts of the "
        "test split.",
        tiles=(
            Tile(end, "perplexity", f"{before} before", bad=not better),
            Tile(seeing, "by n-grams", "seeing and having read the same", bad=not than_ngrams),
            Tile(f"{blocks.read:,}", "blocks read", f"the training split has {blocks.train:,}"),
            Tile(
                f"step {perplexity.kept:,}",
                "weights kept",
                best if perplexity.kept else f"as they were: {best}",
            ),
        ),
    )


def adapt_section(found: Adapted, published: PublishedModel) -> Section:
    """Perplexities, fills, and where the model lies: in the store, and on the Hub."""
    return Section(
        title="Before and after",
        facts=(
            Fact(label="checkpoint", value=found.checkpoint),
            Fact(label="on the Hub", value=published.repo, hint=f"revision {published.revision[:12]}"),
        ),
        tables=(perplexities(found), *_fills(found), *_taken(found)),
        notes=(READ,),
    )


def perplexities(found: Adapted) -> Table:
    """Of n-grams, of the model before and after."""
    measured = (
        ("unigram", found.ngram.unigram),
        (SEEING, found.ngram.two_sided_hidden),
        (CLEAN, found.ngram.two_sided_clean),
        *(((WHOLE_TEXT, found.ngram_whole.two_sided_hidden),) if found.ngram_whole else ()),
        (BEFORE, found.perplexity.before),
        (ADAPTED, found.perplexity.end),
    )
    rows: tuple[dict[str, Cell], ...] = tuple({"name": name, "perplexity": value} for name, value in measured)
    return Table(columns=PERPLEXITIES, rows=rows, strong=(ADAPTED,))


def _fills(found: Adapted) -> tuple[Table, ...]:
    rows: list[dict[str, Cell]] = [
        {"text": before.text, BEFORE: _likeliest(before.fills), AFTER: _likeliest(after.fills)}
        for before, after in zip(found.fills[BEFORE], found.fills[AFTER], strict=True)
    ]
    return (Table(title="What they would write", columns=FILLS, rows=tuple(rows)),) if rows else ()


def _taken(found: Adapted) -> tuple[Table, ...]:
    return tuple(
        Table(title=f"Which to take, {name}", columns=TAKEN, rows=tuple(one.model_dump() for one in chosen))
        for name, chosen in found.recommended.items()
    )


def _likeliest(fills: Sequence[GapFill]) -> str:
    return " · ".join(f"{fill.token} {fill.probability:.2f}" for fill in fills)
