"""How fast a causal language model trains and how fast its corpus is packed, as docs/scale.md shows it."""

from collections.abc import Mapping

from pydantic import Field

from tasks.formats.value import Value
from tests.benchmarks.side_by_side import Figures
from tests.benchmarks.tables import ratios, spread, table

OURS, MUON, TRAINER, PLAIN = "ours", "ours, Muon", "Trainer", "plain loop"
WAYS: Mapping[str, str] = {
    MUON: "`flows.pretrain` at its defaults",
    OURS: "the same with AdamW alone, as the others have it",
    TRAINER: "transformers' `GPT2LMHeadModel` and `Trainer`",
    PLAIN: "a plain module and loop after nanoGPT",
}


class WayOfPacking(Value):
    """Seconds of each round; `tokens` that were made, of which training never reads `lost`."""

    seconds: Figures
    tokens: int
    lost: int


class PackingSpeed(Value):
    """Two ways to pack the same files, of `bytes` of text."""

    bytes: int
    files: int
    ours: WayOfPacking
    textbook: WayOfPacking


class CausalLmSpeed(Value):
    """What was measured, of one model on one machine; `seconds` of a step in each round, by the way."""

    command: str
    cpu: str
    threads: int
    precision: str
    parameters: int
    vocabulary: int
    context: int
    batch_size: int
    warm: int
    counted: int
    attention: str = Field(description="transformers' own choice")
    optimizer: str = Field(description="Trainer's own choice")
    seconds: dict[str, Figures]
    packing: PackingSpeed


def speed_text(found: CausalLmSpeed) -> str:
    """Training, then packing: what it is of, and a table each."""
    rounds = len(found.seconds[OURS])
    training = (
        f"Tokens a second, median of {rounds} rounds in turns (lowest to highest), each way in a process of its own: "
        f"{found.counted} steps of {found.batch_size} windows of {found.context} tokens after {found.warm} to warm up; "
        f"{found.cpu}, {found.threads} threads, {found.precision}; `{found.command}`. All train the same GPT-2 of "
        f"{found.parameters / 1e6:.1f} million parameters ({found.vocabulary:,} tokens, relu2, no dropout) on the same packed "
        f"code, and log and save nothing. Trainer has its defaults: attention `{found.attention}`, `{found.optimizer}`. The "
        "plain loop is written by hand for this: attention in one kernel, AdamW in one kernel, nothing else."
    )
    packing = found.packing
    packed = (
        f"Packing {packing.files:,} files, {packing.bytes / 1e6:.1f} MB of text, by the same tokenizer; the textbook's loop is "
        "CodeParrot's `ConstantLengthDataset`. Lost are tokens that no window has."
    )
    head = ["training", "", "tokens/s", f"over {TRAINER}", f"over the {PLAIN}"]
    rows = table(head, (_row(found, name) for name in WAYS), left=(0, 1))
    faster = spread(ratios(packing.textbook.seconds, packing.ours.seconds), 2)
    head = ["packing", "MB/s", "lost", "times as fast"]
    ways = table(head, (_packed(packing, packing.ours, faster), _packed(packing, packing.textbook, "")))
    return f"{training}\n\n{rows}\n\n{packed}\n\n{ways}\n"


def _row(found: CausalLmSpeed, name: str) -> list[str]:
    own = found.seconds[name]
    tokens = found.batch_size * found.context
    over = [
        "" if name in (TRAINER, PLAIN) else spread(ratios(found.seconds[peer], own), 2)
        for peer in (TRAINER, PLAIN)
    ]
    return [name, WAYS[name], spread(tuple(tokens / one for one in own), 0), *over]


def _packed(packing: PackingSpeed, way: WayOfPacking, faster: str) -> list[str]:
    name = OURS if way is packing.ours else "textbook"
    a_second = tuple(packing.bytes / 1e6 / one for one in way.seconds)
    return [name, spread(a_second, 1), f"{way.lost / way.tokens:.3%}", faster]
