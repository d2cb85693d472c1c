"""What the stages of `flows.pretrain` could have measured of a model of two unseen repositories."""

from pathlib import Path

from tasks.formats.causal_lm_report import CausalLmEvaluation, MeasuredCausalLm, TextCost
from tasks.formats.causal_ngram_report import CausalNgramReport, NgramBits
from tasks.formats.completion_report import CompletedRow, CompletionReport
from tasks.formats.corpus import CORPUS_FILE, CorpusInfo
from tasks.formats.curation_report import REPORT_FILE, CurationReport, Step
from tasks.formats.memorisation_report import CopiedTexts, MemorisationReport
from tasks.formats.packed_corpus import PackedCorpus, PackedPart
from tasks.formats.report_file import write_report
from tasks.formats.tokenizer_report import CutText, Example, MeasuredTokenizer, TextGroup, TokenizerReport
from tasks.formats.value import write_value

FRESH, MODEL, NGRAMS = "fresh weights", "model", "5-grams"
REPOSITORIES = ("org/unseen", "org/other")
PARTS = ("files", *REPOSITORIES)


def evaluation(model: float = 1.1, parts: tuple[str, ...] = PARTS) -> CausalLmEvaluation:
    """`model` bits a byte of each repository on the mean; less of the files."""
    bits = {name: model + (-0.1 if name == "files" else 0.05 - 0.1 * (name == parts[-1])) for name in parts}
    if [*bits] == ["files"]:
        bits["files"] = model
    costs = {
        name: TextCost(bits_per_byte=value, sliding=value - 0.08, perplexity=8.5)
        for name, value in bits.items()
    }
    qualities = dict.fromkeys(("own", "low", "medium", "high"), model)
    one = MeasuredCausalLm(
        name=MODEL, parameters=5_322_240, embedding_parameters=2_162_688, parts=costs, by_quality=qualities
    )
    return CausalLmEvaluation(context=256, tokens=dict.fromkeys(parts, 9_000), models=(one,))


def ngrams(static: float = 1.6, cached: float = 1.2, parts: tuple[str, ...] = PARTS) -> CausalNgramReport:
    bits = NgramBits(static=static, cached=cached)
    return CausalNgramReport(tokens=36_500_000, orders=(), shares=(), parts=dict.fromkeys(parts, bits))


def completions(name: str = MODEL) -> CompletionReport:
    def row(of: str, parsed: float, distinct: float) -> CompletedRow:
        return CompletedRow(name=of, syntax=parsed, parsed=parsed, distinct=distinct, ended=1.0)

    rows = (row(FRESH, 0.0, 0.0), row(name, 0.55, 0.97), row(NGRAMS, 0.02, 1.0))
    return CompletionReport(prompts=200, temperature=0.6, rows=rows, examples=())


def memorised() -> MemorisationReport:
    origins = (
        CopiedTexts(name=MODEL, texts=200, tokens=8_000, longest=83, long_runs=0.015, copied=0.02),
        CopiedTexts(name="files", texts=9, tokens=9_000, longest=400, long_runs=0.5, copied=0.1),
    )
    return MemorisationReport(tokens=36_500_000, run=50, origins=origins)


def corpus(held_out: tuple[str, ...] = REPOSITORIES, licence: str = "apache-2.0") -> CorpusInfo:
    splits = ("train", "validation", "test")
    return CorpusInfo(
        rows=dict(zip(splits, (18_000, 200, 2_300), strict=True)),
        bytes=dict(zip(splits, (131_000_000, 1_000_000, 9_000_000), strict=True)),
        repositories=dict(zip(splits, (9, 9, 11), strict=True)),
        licenses={licence: 20_000, "mit": 500},
        held_out=held_out,
        file_share=0.01,
    )


def curation() -> CurationReport:
    gone = {"usable": 0, "contaminated": 7, "near_duplicates": 900}
    steps = tuple(
        Step(name=name, reason="", rows_in=30_000, rows_out=30_000 - dropped, changed=0, examples=())
        for name, dropped in gone.items()
    )
    return CurationReport(
        rows_in=30_000, rows_out=20_500, splits=corpus().rows, made_splits=(), steps=steps, warnings=()
    )


def tokenizer(reference: bool = True) -> TokenizerReport:
    """Half of the reference's tokens on the second repository, 0.6 on both."""

    def measured(name: str, *tokens: int) -> MeasuredTokenizer:
        others = dict.fromkeys(
            (
                "tokens_per_byte",
                "tokens_per_character",
                "fertility",
                "continued_words",
                "coverage",
                "vocabulary_used",
            ),
            0.5,
        )
        cuts = {part: CutText(tokens=count, **others) for part, count in zip(PARTS, tokens, strict=True)}
        return MeasuredTokenizer(
            name=name, vocabulary_size=8_192, groups=cuts, typos={}, not_given_back=0, keywords_missing=("nonlocal",),
            keywords_bare=(), keywords_in_line=(), indentations={}, lengths=(1.0,), first=(), last=(), longest=(),
            example=Example(normalized="", words=(), tokens=()),
        )  # fmt: skip

    groups = tuple(
        TextGroup(name=name, repository="/" in name, texts=1, bytes=1_000, characters=1_000, words=200)
        for name in PARTS
    )
    both = (measured("ours", 300, 350, 250), measured("gpt2", 400, 500, 500))
    return TokenizerReport(
        groups=groups, typo_rate=0.1, example="", tokenizers=both if reference else both[:1]
    )


def packed() -> PackedCorpus:
    part = PackedPart(documents=18_000, tokens=36_500_000, bytes=131_000_000)
    return PackedCorpus(special={}, parts={"train": part})


def write_reports(folder: Path) -> dict[str, Path]:
    """The stages' folders by the names that `report_pretrained` has for them."""
    names = ("corpus", "tokenizer", "tokens", "evaluation", "ngrams", "completions", "memorisation")
    folders = {name: folder / name for name in names}
    for path in folders.values():
        path.mkdir(parents=True)
    write_value(folders["corpus"] / CORPUS_FILE, corpus())
    write_value(folders["corpus"] / REPORT_FILE, curation())
    values = (tokenizer(), packed(), evaluation(), ngrams(), completions(), memorised())
    for name, value in zip(names[1:], values, strict=True):
        write_report(folders[name], value)
    return folders
