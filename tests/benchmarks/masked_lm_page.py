"""How fast masked language models train, as docs/masked-lm-with-transformers.md shows it."""

from tasks.formats.value import Value
from tests.benchmarks.side_by_side import Figures
from tests.benchmarks.tables import ratios, spread, table


class MaskedRate(Value):
    """At one share of masked tokens: seconds of a step in each round."""

    rate: float
    ours: Figures
    trainer: Figures


class MaskedLmSpeed(Value):
    """What was measured, of one model on one machine."""

    command: str
    cpu: str
    threads: int
    precision: str
    length: int
    batch_size: int
    warm: int
    counted: int
    rates: tuple[MaskedRate, ...]


def speed_text(found: MaskedLmSpeed) -> str:
    """What it is of, and a row a share of masks."""
    rounds = len(found.rates[0].ours)
    what = (
        f"Blocks of {found.length} tokens a second, median of {rounds} rounds in turns (lowest to highest), each of "
        f"{found.counted} steps of {found.batch_size} blocks after {found.warm} to warm up; {found.cpu}, {found.threads} "
        f"threads, {found.precision}; `{found.command}`. Both train all-MiniLM-L6-v2 with a head, without dropout, on the "
        "same packed reviews of IMDb, AdamW in one kernel, and log and save nothing. Trainer, with its own defaults else, "
        "masks by `DataCollatorForLanguageModeling` at the same rate, as the course does."
    )
    head = ["tokens masked", "ours, blocks/s", "Trainer, blocks/s", "ours is so many times as fast"]
    return f"{what}\n\n{table(head, (_row(found, rate) for rate in found.rates))}\n"


def _row(found: MaskedLmSpeed, rate: MaskedRate) -> list[str]:
    a_second = (tuple(found.batch_size / one for one in way) for way in (rate.ours, rate.trainer))
    return [
        f"{rate.rate:.0%}",
        *(spread(values, 1) for values in a_second),
        spread(ratios(rate.trainer, rate.ours), 2),
    ]
