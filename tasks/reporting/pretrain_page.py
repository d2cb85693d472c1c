"""What a run of `flows.pretrain` comes to, ahead of its stages: bits a byte beside n-grams, and what it writes."""

from tasks.evaluation.causal_lm.section import MEAN
from tasks.formats.packed_corpus import FILES
from tasks.formats.published_model import PublishedModel
from tasks.formats.section import Cell, Column, Fact, Section, Table, show
from tasks.reporting.html import Headline, Tile
from tasks.reporting.pretrain_summary import MODEL, Pretrained

BITS = (
    Column(name="text", heading="bits a byte of"),
    Column(name="static", heading="5-grams", places=3),
    Column(name="cached", heading="5-grams with a cache", places=3),
    Column(name="model", heading="model", places=3),
)
WRITTEN = (
    Column(name="name", heading="completions by"),
    Column(name="parsed", heading="Python with a real body", places=3, meter=True),
    Column(name="distinct", heading="different bodies", places=3, meter=True),
)
READ = (
    "Bits a byte: what a compressor by the model would need for a byte of text; the lower, the better. Of the repositories "
    "that give rows their names nothing was read; files are of repositories that were read otherwise, and share much with "
    "them. The cache is of the file that is being read: n-grams learn from it as they go."
)
WROTE = (
    "A real body has two statements at least, or a call; the docstring does not count. Nobody ran them: what running them "
    "comes to, the command stillhouse humaneval says."
)


def pretrain_headline(found: Pretrained) -> Headline:
    """Whether the model is better than counting; bits a byte, what it writes, how fast it was trained."""
    bits, counted, written = found.bits_per_byte, found.ngram, found.completions
    mean = bits.mean if bits.mean is not None else bits.files
    if mean is None:
        return Headline("Not measured", "unsure", "Nothing was held out.")
    static, cached = counted.static, counted.cached
    if static is None or cached is None:
        static, cached = counted.parts[FILES].static, counted.parts[FILES].cached
    verdict, mark = "No better than counting", "fail"
    if mean < static:
        verdict, mark = "Better than 5-grams, not than those with a cache", "unsure"
    if mean < cached:
        verdict, mark = "Better than 5-grams, with a cache too", "pass"
    where = (
        f"{', '.join(bits.repositories)}, of which nothing was read"
        if bits.mean is not None
        else "files that were set aside"
    )
    return Headline(
        verdict,
        mark,
        lead=f"{show(mean, 3)} bits a byte on {where}; {show(static, 3)} by 5-grams of the same {found.corpus.tokens:,} "
        f"tokens, {show(cached, 3)} where they remember the file that they read.",
        tiles=(
            Tile(show(mean, 3), "bits a byte", _against(mean, static), bad=mean >= static),
            Tile(
                f"{written.parsed:.0%}",
                "Python with a real body",
                f"of {written.prompts:,} completions, {written.distinct:.0%} of them different",
            ),
            Tile(f"{found.parameters / 1e6:,.1f} M", "parameters", f"{found.tokenizer.size:,} tokens"),
            Tile(
                f"{found.tokens_per_second:,.0f}",
                "tokens a second in training",
                f"{found.utilisation:.0%} of what this machine reaches",
            ),
        ),
    )


def _against(mean: float, static: float) -> str:
    apart = mean / static - 1
    return f"{abs(apart):.0%} {'below' if apart < 0 else 'above'} 5-grams"


def pretrain_section(found: Pretrained, published: PublishedModel, tokenizer: PublishedModel) -> Section:
    """Bits a byte and completions beside what they are compared with, and where model and tokenizer lie."""
    return Section(
        title="What came of it",
        facts=(
            Fact(label="model", value=found.model),
            Fact(label="on the Hub", value=published.repo, hint=f"revision {published.revision[:12]}"),
            Fact(label="tokenizer", value=tokenizer.repo, hint=f"revision {tokenizer.revision[:12]}"),
        ),
        tables=(bits_table(found), _written(found)),
        notes=(READ, WROTE),
    )


def bits_table(found: Pretrained) -> Table:
    """A row a part of what was held out, and the mean of the repositories."""
    bits = dict(found.bits_per_byte.repositories)
    if found.bits_per_byte.files is not None:
        bits[FILES] = found.bits_per_byte.files
    rows: list[dict[str, Cell]] = [
        {"text": name, **found.ngram.parts[name].model_dump(), "model": value} for name, value in bits.items()
    ]
    if found.bits_per_byte.mean is not None:
        rows.append(
            {
                "text": MEAN,
                "static": found.ngram.static,
                "cached": found.ngram.cached,
                "model": found.bits_per_byte.mean,
            }
        )
    return Table(columns=BITS, rows=tuple(rows), strong=(MEAN,))


def _written(found: Pretrained) -> Table:
    rows = tuple(
        row.model_dump(include={column.name for column in WRITTEN}) for row in found.completions.rows
    )
    return Table(columns=WRITTEN, rows=rows, strong=(MODEL,))
