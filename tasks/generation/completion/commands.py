"""`stillhouse complete MODEL --prompt -`: what a language model makes of a prompt, or two models side by side."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from infra.catalog.lineage import find_record
from infra.errors import DataError
from infra.hub.connect import open_hub
from infra.hub.protocol import MAIN
from infra.machine.terminal import Terminal, one_line
from infra.settings import get_settings
from infra.store.artifacts import KEY_LENGTH, Store
from infra.store.references import STORE_SCHEME
from tasks.formats.code_tokens import Quality
from tasks.formats.kinds import CheckpointRef
from tasks.generation.completion.config import MAX_TOKENS, CompletionConfig

if TYPE_CHECKING:
    from tasks.generation.completion.complete import Completions

STDIN = "-"


def complete(
    model: Annotated[str, Parameter(help="folder of a model, artifact:stage/key, or owner/name on the Hub")],
    /,
    *,
    prompt: Annotated[
        tuple[str, ...],
        Parameter(help="what goes on, given once or more; `-`: stdin. White space at its end is not read"),
    ] = (STDIN,),
    n: Annotated[int, Parameter(validator=Number(gte=1), help="completions of each prompt, 1 or more")] = 1,
    temperature: Annotated[
        float,
        Parameter(validator=Number(gte=0, lte=10), help="of what is drawn, 0 to 10; 0: the likeliest"),
    ] = 0.6,
    quality: Annotated[Quality, Parameter(help="that is asked for, of a model with quality tokens")] = "high",
    seed: Annotated[
        int, Parameter(validator=Number(gte=0, lt=2**31), help="of what is drawn, 0 or more")
    ] = 0,
    max_tokens: Annotated[
        int, Parameter(validator=Number(gte=1), help="tokens of a completion at most, 1 or more")
    ] = MAX_TOKENS,
    compare: Annotated[str | None, Parameter(help="another model, beside the first")] = None,
    revision: Annotated[
        str, Parameter(help="of a model on the Hub: a tag, or 7 digits or more of a revision; default: main")
    ] = MAIN,
) -> None:
    """Complete code until the block ends that the prompt opened."""
    config = CompletionConfig(temperature=temperature, quality=quality, seed=seed, max_tokens=max_tokens)
    names = [model] if compare is None else [model, compare]
    folders = [model_folder(name, revision) for name in names]
    prompts = [_given(text) for text in prompt]
    found = [_completed(folder, prompts, config, n) for folder in folders]
    for name, by_prompt in zip(names, found, strict=True):
        for unread in sorted({one.unread for one in by_prompt} - {0}):
            Terminal(stderr=True).print(
                one_line(
                    (f"{name} reads the end of a prompt: {unread:,} of its tokens are too many", "yellow")
                )
            )
    console = Terminal(soft_wrap=False)
    show = _show_columns if console.is_terminal else _show_lines
    for number, text in enumerate(prompts):
        show(names, text.rstrip(), [by_prompt[number] for by_prompt in found])


def model_folder(name: str, revision: str = MAIN) -> Path:
    """Where a model lies: a folder, an artifact of this home, or a repository of the Hub.

    Raises ArtifactError or HubError when there is none.
    """
    if Path(name).is_dir():
        return Path(name)
    settings = get_settings()
    if not name.startswith(STORE_SCHEME):
        return open_hub(settings).resolve("model", name, revision)
    store = Store(settings)
    record = find_record(store, name)
    uri = f"{STORE_SCHEME}{record.stage}/{record.key[:KEY_LENGTH]}"
    return store.path(CheckpointRef(uri=uri, digest=record.digest))


def _given(prompt: str) -> str:
    text = sys.stdin.read() if prompt == STDIN else prompt
    if not text.strip():
        raise DataError(
            "the prompt is empty: expected code that is to go on. Give it by --prompt TEXT, or on stdin by --prompt -."
        )
    return text


def _completed(folder: Path, prompts: Sequence[str], config: CompletionConfig, n: int) -> "list[Completions]":
    """torch and transformers are imported here: `--help` does not wait for them."""
    from tasks.generation.completion.complete import complete_all
    from tasks.models.causal_lm import load_causal_lm, load_text_tokenizer

    model, tokenizer = load_causal_lm(folder), load_text_tokenizer(folder)
    return complete_all(model, tokenizer, prompts, config, n)


def _show_columns(names: Sequence[str], prompt: str, found: "Sequence[Completions]") -> None:
    """A column a model, a row a completion, under the prompt."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.ROUNDED, show_lines=True, title=prompt, title_justify="left", title_style="bold")
    for name in names:
        table.add_column(one_line(name), overflow="fold", ratio=1)
    for texts in zip(*(one.texts for one in found), strict=True):
        table.add_row(*(text.strip("\n") for text in texts))
    Terminal(soft_wrap=False).print(table)


def _show_lines(names: Sequence[str], prompt: str, found: "Sequence[Completions]") -> None:
    """Code as it may be written to a file; a line of comment before each where there are several."""
    console = Terminal()
    several = len(names) * len(found[0].texts) > 1
    for name, one in zip(names, found, strict=True):
        for number, text in enumerate(one.texts, 1):
            if several:
                console.print(one_line(f"# {name}, {number} of {len(one.texts)}"))
            console.print(prompt + text + ("\n" if several else ""))
