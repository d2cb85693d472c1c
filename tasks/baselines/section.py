"""What the baselines have to show: what they count, and how they answer."""

from pathlib import Path

from tasks.formats.model_facts import answer_facts, read_json
from tasks.formats.section import Fact, Section

TFIDF_READS, FAST_TEXT_READS = ("baseline.json",), ("fasttext.json",)


def tfidf_section(folder: Path) -> Section:
    """TF-IDF and its terms."""
    described = read_json(folder / "baseline.json")
    terms = described["terms"]
    (least, most), (shortest, longest) = terms["words"], terms["characters"]
    return Section(
        title="Baseline: TF-IDF",
        facts=(
            Fact(
                label="terms", value=f"{least} to {most} words, {shortest} to {longest} characters of a word"
            ),
            Fact(
                label="terms kept",
                value=terms["maximum_terms"],
                hint="at most, of words and of characters each",
            ),
            *answer_facts(described),
        ),
    )


def fast_text_section(folder: Path) -> Section:
    """fastText: its table is with its weights."""
    return Section(title="Baseline: fastText", facts=answer_facts(read_json(folder / "fasttext.json")))
