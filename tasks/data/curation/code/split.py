"""Splits by repository: what a repository's own files share is in one split alone."""

import hashlib
from collections import Counter
from collections.abc import Sequence

from infra.errors import DataError


def split_by_repository(
    repositories: Sequence[str], validation_share: float, test_share: float, seed: int
) -> list[str]:
    """The split of each file, by its repository.

    Repositories are taken in an order that a hash of name and seed gives, each into test as long as it fits into test's
    share of the files, then likewise into validation; the rest is train. A split gets one repository at least.
    Raises DataError for fewer repositories than splits.
    """
    shares = {"test": test_share, "validation": validation_share}
    wanted = [split for split, share in shares.items() if share > 0]
    counts = Counter(repositories)
    if len(counts) <= len(wanted):
        raise DataError(
            f"the files are of {len(counts)} repositories: expected one at least for each of train, {', '.join(wanted)}. "
            "Extract more, or set code.test_share or code.validation_share to 0."
        )
    order = sorted(counts, key=lambda name: hashlib.sha256(f"{seed}:{name}".encode()).digest())
    chosen: dict[str, str] = {}
    for split in wanted:
        room = shares[split] * len(repositories)
        left = [name for name in order if name not in chosen]
        taken: list[str] = []
        for name in left:
            if counts[name] <= room:
                taken.append(name)
                room -= counts[name]
        chosen |= dict.fromkeys(taken or [min(left, key=lambda name: (counts[name], name))], split)
    if len(chosen) == len(counts):
        raise DataError(
            f"no repository of {len(counts)} is left for train: expected most of the files there. Extract more, or lower "
            "code.test_share and code.validation_share."
        )
    return [chosen.get(name, "train") for name in repositories]
