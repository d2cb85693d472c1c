"""docs/BENCHMARKS.md from what was measured. Figures are medians over the rounds, with the lowest and the highest."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from tasks.formats.roles import YARDSTICK
from tasks.formats.shares import Shares, quality_headings, shares_note
from tasks.formats.value import Value
from tests.benchmarks.limit import Limit, Machine
from tests.benchmarks.rows import Contender, Rows
from tests.benchmarks.side_by_side import Figures, Measured, SideBySide
from tests.benchmarks.tables import one_line, ratios, spread, table
from tests.benchmarks.work import Work

RELEASED = "released"
BOOK = (
    "In the book that the data set's task is from, the best has 0.877 by argmax on CLINC150's `plus`, 5.9 times faster and 6.5 "
    "times smaller: what it is to be compared with is the column without rule of a release of `plus`."
)


@dataclass(frozen=True)
class Floor:
    """One graph's work for the query, this machine's rates for it, and what follows."""

    name: str
    tokens: int
    work: Work
    machine: Machine
    limit: Limit


class Benchmarks(Value):
    """All that the page says."""

    found: SideBySide
    rows: Rows
    floors: tuple[Floor, ...]


def page(benchmarks: Benchmarks) -> str:
    """The whole page."""
    found, rows, floors = benchmarks.found, benchmarks.rows.made, benchmarks.floors
    parts = [
        _opening(found),
        "## Accuracy, size, latency",
        "\n".join(_row_words(row) for row in rows),
        _quality_table(rows, benchmarks.rows.shares),
        *((shares_note(benchmarks.rows.shares),) if benchmarks.rows.shares else ()),
        _speed_table(found, rows),
        *(f"Not measured: {reason}" for reason in benchmarks.rows.left_out),
        "## The release against each",
        "What the release gains over the model of the row. Bold: the release is behind.",
        _against_table(found, rows),
        _ahead_words(found, rows),
        "## Throughput",
        f"Queries a second at one thread over {found.texts} test texts of all lengths. *Mixed*: batches of "
        f"{found.batch_size} as they come, padded to their longest text; *bucketed*: batches of texts of like length. "
        "A \"thirty times faster\" depends on what it is measured against, so all three are here: the yardstick with every "
        "text padded to its 512 positions, with mixed batches, and bucketed.",
        _throughput_table(found),
        "## Distance to the limit",
        _limit_words(found, floors),
        _limit_table(found, floors),
    ]  # fmt: skip
    return "\n\n".join(parts) + "\n"


def _opening(found: SideBySide) -> str:
    return (
        "# Benchmarks\n\n"
        f"Written by `make bench` in one run, all models side by side: {found.rounds} rounds, in each of which every model "
        f"has its turn, in a process of its own, with {found.timed} timed queries after {found.warmups} that do not count. A "
        "figure is the median over the rounds, with the lowest and the highest; a ratio is taken round by round. A latency "
        "is from the query's string to its answer, tokenizer included. Sizes count every file that inference needs. "
        "Accuracy is on the whole test split, with the same out-of-scope rule chosen on validation for each.\n\n"
        "The yardstick is BERT-base in float32 behind transformers' `pipeline`, with random weights, for neither speed nor "
        f"size depends on them; `bert_base_int8` is what runtime and int8 alone make of it. {BOOK}\n\n"
        f"Machine: {found.cpu}, {found.cores} cores ({', '.join(found.cpu_flags)}). Query: \"{found.query}\""
    )  # fmt: skip


def _quality_table(rows: Sequence[Contender], shares: Shares | None) -> str:
    """A row a trained model, by what its rule knew."""
    heads = quality_headings(shares)
    cells = [
        [
            row.name,
            *("" if (value := getattr(row.scores, name)) is None else f"{value:.4f}" for name in heads),
        ]
        for row in rows
        if row.scores is not None
    ]
    return table(["model", *map(one_line, heads.values())], cells)


def _speed_table(found: SideBySide, rows: Sequence[Contender]) -> str:
    accuracies = {row.name: row.accuracy for row in rows}
    yardstick = _named(found, YARDSTICK)
    cells = []
    for model in found.models:
        accuracy = accuracies.get(model.name)
        cells.append([
            model.name,
            "" if accuracy is None else f"{accuracy:.4f}",
            f"{model.size_bytes / 1e6:.2f}",
            f"{yardstick.size_bytes / model.size_bytes:.1f}",
            _threads(model),
            spread(model.best_ms, 3),
            spread(ratios(yardstick.best_ms, model.best_ms), 1),
            spread(model.one_thread_ms, 3),
            spread(ratios(yardstick.one_thread_ms, model.one_thread_ms), 1),
            model.runtime,
        ])  # fmt: skip
    head = ["model", "accuracy", "MB", "x smaller", "threads", "p50 ms", "x faster", "p50 ms, one thread",
            "x faster, one thread", "runtime"]  # fmt: skip
    return table(head, cells, left=(0, len(head) - 1))


@dataclass(frozen=True)
class Gain:
    """What the release gains over a row; negative points and ratios under 1 are the row's lead."""

    name: str
    points: float | None  # of accuracy, in hundredths; None for a row without
    faster: Figures  # round by round
    alone: Figures  # the same at one thread
    smaller: float

    @property
    def ways(self) -> dict[str, tuple[bool, str]]:
        """Of each thing that is compared: whether the row is ahead, and by how much either is."""
        speed = statistics.median(self.faster)
        found = {
            "speed": (speed < 1, f"{max(speed, 1 / speed):.1f}x"),
            "size": (self.smaller < 1, f"{max(self.smaller, 1 / self.smaller):.1f}x"),
        }
        if self.points is not None:
            found = {"accuracy": (self.points < 0, f"{abs(self.points):.2f} points")} | found
        return found


def gains(found: SideBySide, rows: Sequence[Contender]) -> list[Gain]:
    """The release beside each other row."""
    ours, accuracy = _named(found, RELEASED), next(row.accuracy for row in rows if row.name == RELEASED)
    if accuracy is None:
        raise ValueError("the release has no accuracy: expected the one on the test split")
    return [
        Gain(
            row.name,
            None if row.accuracy is None else 100 * (accuracy - row.accuracy),
            ratios(other.best_ms, ours.best_ms),
            ratios(other.one_thread_ms, ours.one_thread_ms),
            other.size_bytes / ours.size_bytes,
        )
        for row in rows
        if row.name != RELEASED and (other := _named(found, row.name))
    ]


def _ahead_words(found: SideBySide, rows: Sequence[Contender]) -> str:
    """Who is ahead of the release and where, by the same figures as the table: medians, and points as they are."""
    compared = gains(found, rows)
    sentences = []
    for way in ("accuracy", "size", "speed"):
        leads = [(gain.name, gain.ways[way][1]) for gain in compared if gain.ways.get(way, (False,))[0]]
        said = ", ".join(f"`{name}` by {lead}" for name, lead in leads) or "nobody"
        sentences.append(f"Ahead of the release in {way}: {said}.")
    everywhere = [gain.name for gain in compared if all(ahead for ahead, _ in gain.ways.values())]
    nowhere = [gain.name for gain in compared if not any(ahead for ahead, _ in gain.ways.values())]
    sentences += [
        f"Ahead in all that is compared: {_names(everywhere)}.",
        f"In nothing: {_names(nowhere)}.",
        "Speed is that of one query, each model at its best number of threads, by the median of the rounds; some rounds say "
        f"the opposite of: {_names([gain.name for gain in compared if min(gain.faster) < 1 < max(gain.faster)])}.",
    ]
    return " ".join(sentences)


def _names(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "nobody"


def _row_words(row: Contender) -> str:
    said = {name: f"{value:g}" if isinstance(value, float) else value for name, value in row.settings.items()}
    chosen = ", ".join(f"{name} {value}" for name, value in said.items())
    return f"- `{row.name}`: {row.what} ({row.group})" + (f". Found: {chosen}" if chosen else "")


def _against_table(found: SideBySide, rows: Sequence[Contender]) -> str:
    cells = []
    for gain in gains(found, rows):
        points = gain.points
        cells.append([
            gain.name,
            "" if points is None else _behind(f"{points:+.2f}", points < 0),
            _behind(spread(gain.faster, 2), statistics.median(gain.faster) < 1),
            _behind(spread(gain.alone, 2), statistics.median(gain.alone) < 1),
            _behind(f"{gain.smaller:.2f}", gain.smaller < 1),
        ])  # fmt: skip
    return table(["model", "points of accuracy", "x faster", "x faster, one thread", "x smaller"], cells)


def _throughput_table(found: SideBySide) -> str:
    yardstick = _named(found, YARDSTICK)
    padded = statistics.median(yardstick.padded_rows_per_s)
    mixed = statistics.median(yardstick.dynamic_rows_per_s)
    bucketed = statistics.median(yardstick.bucketed_rows_per_s)
    cells = [[f"{YARDSTICK}, padded to 512", spread(yardstick.padded_rows_per_s, 2), "", "", "", ""]]
    for model in found.models:
        rate = statistics.median(model.bucketed_rows_per_s)
        cells.append([
            model.name,
            spread(model.dynamic_rows_per_s, 0),
            spread(model.bucketed_rows_per_s, 0),
            f"{rate / padded:,.0f}",
            f"{rate / mixed:,.1f}",
            f"{rate / bucketed:,.1f}",
        ])  # fmt: skip
    return table(["model", "mixed", "bucketed", "bucketed x padded", "x mixed", "x bucketed"], cells)


def _limit_words(found: SideBySide, floors: Sequence[Floor]) -> str:
    machine = floors[0].machine
    return (
        "A query cannot be answered before its weights are read and its multiplications are made. One core of this machine "
        f"copies {machine.memory_bytes_per_s / 1e9:.1f} GB/s from and to memory (read and written bytes together) and makes "
        f"{2 * machine.int8_per_s / 1e9:.0f} int8 GOPS in a product of 1,024 x 1,024 x 1,024, but "
        f"{2 * machine.int8_at_query_per_s / 1e9:.0f} with the {floors[0].tokens} rows that this query has. Best of the "
        "repeats, by numpy and ONNX Runtime with one thread. Of an embedding table only the rows of the query's tokens are "
        "read. The weights of a small model stay in the cache between queries, so the memory's column is for the first "
        "query and the cache's for the next. What is above the limit is the runtime's cost of each operator, softmax, "
        "norms and the tokenizer."
    )  # fmt: skip


def _limit_table(found: SideBySide, floors: Sequence[Floor]) -> str:
    cells = []
    for floor in floors:
        seen, limit = statistics.median(_named(found, floor.name).one_thread_ms), floor.limit
        binding = max(limit.cache_ms, limit.int8_at_query_ms)
        cells.append([
            floor.name,
            f"{floor.work.weight_bytes / 1e6:.2f}",
            f"{floor.work.multiply_adds / 1e6:.2f}",
            f"{limit.memory_ms:.3f}",
            f"{limit.cache_ms:.3f}",
            f"{limit.int8_ms:.3f}",
            f"{limit.int8_at_query_ms:.3f}",
            f"{seen:.3f}",
            f"{seen / binding:.1f}",
        ])  # fmt: skip
    head = ["model", "weights read, MB", "multiply-adds, M", "memory ms", "cache ms", "int8 ms", "int8 ms at its rows",
            "seen ms, one thread", "seen / limit"]  # fmt: skip
    return table(head, cells)


def _behind(text: str, behind: bool) -> str:
    return f"**{text}**" if behind else text


def _threads(model: Measured) -> str:
    return f"{model.best.threads}{', spinning' if model.best.spinning else ''}"


def _named(found: SideBySide, name: str) -> Measured:
    return next(model for model in found.models if model.name == name)
