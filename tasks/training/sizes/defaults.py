"""Sizes that follow from the data: what a user would otherwise have to guess before the first run.

The rules are the table in docs/own-table.md. A field that was set by hand is never touched.
"""

import math
from collections.abc import Mapping

from tasks.formats.dataset import DatasetInfo
from tasks.training.sizes.config import GivenSizes, Plan

# (training rows up to, teacher epochs, student epochs, augmented texts for each row): fewer rows are seen more often.
SCHEDULE = (
    (500, 10, 30, 12),
    (1_500, 8, 20, 8),
    (4_000, 5, 10, 5),
    (8_000, 3, 4, 5),
    (12_000, 3, 4, 3),
    (40_000, 3, 5, 1),
    (150_000, 2, 3, 0),
)
LARGEST = (1, 2, 0)
TOKENS_PER_WORD = 1.5  # WordPiece on informal text, with room for [CLS] and [SEP]
SHORTEST, LONGEST, STEP = 64, 256, 16
# Seconds for one text of one token, measured on two cores with AVX512-BF16 (docs/own-table.md says how).
TEACHER_SECONDS = 6.0e-4
STUDENT_SECONDS = 9.0e-5
ANSWER_SECONDS = 1.5e-4
FIXED_SECONDS = 120.0


def plan_sizes(info: DatasetInfo, given: GivenSizes | None = None) -> Plan:
    """Choose the sizes that are not given from rows, classes and lengths of a curated data set."""
    rows = info.rows["train"]
    teacher_epochs, student_epochs, copies = next((row[1:] for row in SCHEDULE if rows <= row[0]), LARGEST)
    long_texts = info.words_p50 > 40
    chosen = {
        "max_length": max_length(info.words_p99),
        "teacher_epochs": teacher_epochs,
        "student_epochs": student_epochs,
        "student_layers": 3 if long_texts else 2,
        "intermediate_size": 768,
        "vocabulary_size": 12_000 if long_texts or rows > 40_000 else 10_000,
        "augmented_copies": copies,
    }
    sizes = chosen | (given or GivenSizes()).model_dump(exclude_none=True)
    return Plan(**sizes, seconds=estimate_seconds(info, sizes))


def max_length(words_p99: int) -> int:
    """Tokens that hold 99% of the texts, rounded up to a multiple of 16, from 64 to 256."""
    tokens = math.ceil(words_p99 * TOKENS_PER_WORD) + 2
    return min(max(math.ceil(tokens / STEP) * STEP, SHORTEST), LONGEST)


def estimate_seconds(info: DatasetInfo, sizes: Mapping[str, int]) -> float:
    """About how long training is going to take on two cores; lengths count by the median text."""
    rows, tokens = info.rows["train"], info.words_p50 * TOKENS_PER_WORD + 2
    texts = rows * (1 + sizes["augmented_copies"])
    teacher = rows * sizes["teacher_epochs"] * TEACHER_SECONDS
    student = texts * (sizes["student_epochs"] * STUDENT_SECONDS + ANSWER_SECONDS)
    return round((teacher + student) * tokens + FIXED_SECONDS, -1)
