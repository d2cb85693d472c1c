"""Is it Python what a model writes? Functions of held-out files, completed from signature and docstring, and parsed.

A body that is empty does not count: a model that knows nothing ends the function at once, and what it wrote parses. Whether a
body does what its docstring says is another question, which only running it answers.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from infra.errors import ConfigError
from tasks.evaluation.completions.config import CompletePromptsConfig
from tasks.evaluation.completions.functions import Function, Reader
from tasks.evaluation.completions.prompts import choose_functions
from tasks.evaluation.completions.writers import by_model, by_ngrams
from tasks.formats.completion_report import (
    CompletedExample,
    CompletedRow,
    CompletedTokens,
    CompletionReport,
    write_completed_tokens,
)
from tasks.formats.report_file import write_report
from tasks.generation.completion.complete import Completed
from tasks.models.causal_lm import ids_of_text, load_text_tokenizer

TRUE = "true bodies"


def complete_prompts(
    config: CompletePromptsConfig, models: Mapping[str, Path], corpus: Path, dataset: Path, output: Path
) -> Mapping[str, float]:
    """Write `report.json` and `completions.json`; returns shares by name.

    Beside the models stand n-grams of the corpus and the functions as they were written. The first model has the tokenizer of
    the corpus.

    Raises ArtifactError for a damaged input, ConfigError for no model, DataError where no held-out file has a function.
    """
    if not models:
        raise ConfigError("there is no model to complete by: expected one at least. Name a checkpoint.")
    tokenizer_dir = next(iter(models.values()))
    with Reader(config.parse_seconds) as reader:
        functions = choose_functions(config, dataset, reader)
        prompts = [function.prompt for function in functions]
        # Counted first: the n-grams' memory is free again when the models come.
        ngrams = {f"{config.order}-grams": by_ngrams(config, corpus, tokenizer_dir, prompts)}
        written = {name: by_model(config, folder, prompts) for name, folder in models.items()} | ngrams
        written[TRUE] = [Completed(function.body, ended=True) for function in functions]
        rows = tuple(judged(name, functions, made, reader) for name, made in written.items())
    write_report(output, _report(config, functions, rows, written))
    tokenizer = load_text_tokenizer(tokenizer_dir)
    tokens = {
        name: tuple(map(tuple, ids_of_text(tokenizer, [one.text for one in made])))
        for name, made in written.items()
    }
    write_completed_tokens(output, CompletedTokens(tokens=tokens))
    shown: tuple[tuple[str, Callable[[CompletedRow], float]], ...] = (
        ("parsed", lambda row: row.parsed),
        ("distinct", lambda row: row.distinct),
    )
    return {f"{row.name}_{what}": share(row) for row in rows for what, share in shown}


def judged(
    name: str, functions: Sequence[Function], made: Sequence[Completed], reader: Reader
) -> CompletedRow:
    """Shares of completions, one of each function."""
    found = [reader.judge(function.prompt + one.text) for function, one in zip(functions, made, strict=True)]
    bodies = [one.body for one in found if one.real]
    return CompletedRow(
        name=name,
        syntax=sum(one.syntax for one in found) / len(found),
        parsed=len(bodies) / len(found),
        distinct=len(set(bodies)) / max(1, len(bodies)),
        ended=sum(one.ended for one in made) / len(made),
    )


def _report(
    config: CompletePromptsConfig,
    functions: Sequence[Function],
    rows: tuple[CompletedRow, ...],
    written: Mapping[str, Sequence[Completed]],
) -> CompletionReport:
    examples = tuple(
        CompletedExample(
            prompt=function.prompt, completions={name: made[place].text for name, made in written.items()}
        )
        for place, function in enumerate(functions[: config.examples])
    )
    return CompletionReport(
        prompts=len(functions), temperature=config.temperature, rows=rows, examples=examples
    )
