"""What a run of `flows.pretrain` was: the JSON of its `--report FILE.json`. Its schema is `docs/pretrain-report.schema.json`.

Write the schema anew with `.venv/bin/python -m tasks.reporting.pretrain_summary > docs/pretrain-report.schema.json`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from pydantic import Field

from tasks.formats.causal_lm_report import CausalLmEvaluation, MeasuredCausalLm, read_causal_lm_evaluation
from tasks.formats.causal_ngram_report import CausalNgramReport, NgramBits, read_causal_ngrams
from tasks.formats.completion_report import CompletedRow, CompletionReport, read_completions
from tasks.formats.corpus import CorpusInfo, load_corpus
from tasks.formats.curation_report import CurationReport, read_curation
from tasks.formats.memorisation_report import MemorisationReport, read_memorisation
from tasks.formats.packed_corpus import TRAIN, PackedCorpus, read_packed_corpus
from tasks.formats.published_model import PublishedModel
from tasks.formats.report_file import named
from tasks.formats.tokenizer_report import OURS, REFERENCE, TokenizerReport, read_tokenizer_report
from tasks.formats.value import Value
from tasks.reporting.language_model_summary import LanguageModelRecord, LanguageModelSummary, run_facts
from tasks.reporting.summary import Run, schema_text

FRESH, MODEL = "fresh weights", "model"
DECONTAMINATED = "contaminated"  # the step of curation


class PretrainedCorpus(Value):
    """What was read, and what was set aside."""

    files: int = Field(description="kept, in all splits")
    bytes: int = Field(description="of them, UTF-8")
    held_out: tuple[str, ...] = Field(description="repositories of which nothing was read")
    decontaminated: int = Field(
        description="files dropped that share words with problems that models are evaluated on"
    )
    tokens: int = Field(description="of the training part")


class PretrainedTokenizer(Value):
    """The vocabulary."""

    size: int
    tokens_per_byte: dict[str, float | None] = Field(
        description="of the unseen repositories, by ours and by gpt2; null where it was not compared"
    )
    keywords_missing: tuple[str, ...]


class BitsPerByte(Value):
    """Of the model, in cut windows; sliding ones stand in the page."""

    files: float | None = Field(
        description="single files of repositories that were read otherwise; null: none were set aside"
    )
    repositories: dict[str, float]
    mean: float | None = Field(description="mean of the repositories; null where none was held out")


class NgramBaseline(Value):
    """5-grams of the same training tokens, on the same text: means of the repositories, and each part."""

    static: float | None
    cached: float | None = Field(description="with a cache of the document that was read so far")
    parts: dict[str, NgramBits]


class CompletedPrompts(Value):
    """Completions of held-out signatures by the model; the others stand beside."""

    prompts: int
    parsed: float = Field(
        description="share that is Python with a real body: two statements at least, or a call"
    )
    distinct: float = Field(description="share of different bodies among those")
    rows: tuple[CompletedRow, ...]


class Pretrained(Value):
    """What came of it."""

    corpus: PretrainedCorpus
    tokenizer: PretrainedTokenizer
    bits_per_byte: BitsPerByte
    ngram: NgramBaseline
    completions: CompletedPrompts
    memorised: MemorisationReport
    model: str = Field(description="artifact:STAGE/KEY")
    parameters: int
    tokens_per_second: float = Field(description="median over the training")
    utilisation: float = Field(description="share of what products of large matrices reach, the median")


class PretrainSummary(LanguageModelSummary):
    """One run of `flows.pretrain`."""

    pretrain: Pretrained
    published: PublishedModel
    published_tokenizer: PublishedModel


def read_pretrained(
    uri: str, folders: Mapping[str, Path], curves: Mapping[str, Sequence[tuple[int, float]]]
) -> Pretrained:
    """From the stages' folders, by the names that `report_pretrained` has for them, and the training's own course."""
    return pretrained(
        uri,
        (
            load_corpus(folders["corpus"]),
            read_curation(folders["corpus"]),
            read_packed_corpus(folders["tokens"]),
        ),
        read_tokenizer_report(folders["tokenizer"]),
        read_causal_lm_evaluation(folders["evaluation"]),
        read_causal_ngrams(folders["ngrams"]),
        read_completions(folders["completions"]),
        read_memorisation(folders["memorisation"]),
        {name: median(value for _, value in curve) for name, curve in curves.items() if curve},
    )


def pretrained(
    uri: str,
    corpus: tuple[CorpusInfo, CurationReport, PackedCorpus],
    tokenizer: TokenizerReport,
    evaluation: CausalLmEvaluation,
    ngrams: CausalNgramReport,
    completions: CompletionReport,
    memorised: MemorisationReport,
    speed: Mapping[str, float],
) -> Pretrained:
    """Put together what the stages measured."""
    model = named(evaluation.models, MODEL)
    written, counted = named(completions.rows, MODEL), ngrams.repositories
    return Pretrained(
        corpus=_corpus(*corpus),
        tokenizer=_tokenizer(tokenizer),
        bits_per_byte=_bits(model),
        ngram=NgramBaseline(
            static=counted.static if counted else None,
            cached=counted.cached if counted else None,
            parts=ngrams.parts,
        ),
        completions=CompletedPrompts(
            prompts=completions.prompts,
            parsed=written.parsed,
            distinct=written.distinct,
            rows=completions.rows,
        ),
        memorised=memorised,
        model=uri,
        parameters=model.parameters,
        tokens_per_second=speed.get("tokens_per_second", 0.0),
        utilisation=speed.get("utilisation", 0.0),
    )


def _corpus(info: CorpusInfo, curation: CurationReport, packed: PackedCorpus) -> PretrainedCorpus:
    dropped = [step.rows_in - step.rows_out for step in curation.steps if step.name == DECONTAMINATED]
    return PretrainedCorpus(
        files=sum(info.rows.values()),
        bytes=sum(info.bytes.values()),
        held_out=info.held_out,
        decontaminated=sum(dropped),
        tokens=packed.parts[TRAIN].tokens,
    )


def _tokenizer(report: TokenizerReport) -> PretrainedTokenizer:
    ours = named(report.tokenizers, OURS)
    found: dict[str, float | None] = {OURS: report.tokens_per_byte(ours), REFERENCE: None}
    found |= {one.name: report.tokens_per_byte(one) for one in report.tokenizers if one.name == REFERENCE}
    return PretrainedTokenizer(
        size=ours.vocabulary_size, tokens_per_byte=found, keywords_missing=ours.keywords_missing
    )


def _bits(model: MeasuredCausalLm) -> BitsPerByte:
    found = {name: cost.bits_per_byte for name, cost in model.repositories.items()}
    return BitsPerByte(files=model.files, repositories=found, mean=model.mean)


def summarise_pretrained(
    run: Run,
    found: Pretrained,
    published: PublishedModel,
    tokenizer: PublishedModel,
    page: Path,
    machine: dict[str, str],
) -> PretrainSummary:
    """The run that ended in `found`, published on the Hub with its tokenizer, and shown on `page`."""
    return PretrainSummary(
        pretrain=found,
        published=published,
        published_tokenizer=tokenizer,
        **run_facts(run, page, machine),
    )


def read_pretrain_summary(record: LanguageModelRecord) -> PretrainSummary:
    """The JSON of the run that made a record."""
    return PretrainSummary.model_validate_json(Path(record.summary).read_bytes())


if __name__ == "__main__":
    print(schema_text(PretrainSummary))
