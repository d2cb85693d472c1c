"""Splits of a corpus: by whole repositories, or some repositories whole and a share of the others' files.

What a repository's files share tells more of each other than of code elsewhere: figures on a repository that was never seen
are the honest ones, and those on single files stand beside them.
"""

import difflib
import hashlib
from collections import Counter
from collections.abc import Sequence

from infra.errors import ConfigError, DataError

SHOWN = 8


def split_by_repository(
    repositories: Sequence[str], validation_share: float, test_share: float, seed: int
) -> list[str]:
    """The split of each file, by its repository: none is in two splits.

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


def whole_repositories(asked: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    """The repositories that are asked for, in any case, as `known` (each once) spells them.

    Raises ConfigError for one that is not there, with what is spelt like it.
    """
    by_key = {name.casefold(): name for name in known}
    for name in asked:
        if name.casefold() not in by_key:
            raise ConfigError(
                f"code.held_out: no file is of {name!r}. {_near(name, known)} Correct the name."
            )
    return tuple(dict.fromkeys(by_key[name.casefold()] for name in asked))


def split_of_file(digest: bytes, share: float, seed: int) -> str:
    """The split of a file by the digest of its content, whatever other files there are.

    It is a number that is as good as drawn from 0 to 1: below `share` is test, below twice that validation, the rest train.
    Files of equal content have equal splits.
    """
    drawn = int.from_bytes(hashlib.sha256(f"{seed}:".encode() + digest).digest()[:8], "big") / 2**64
    return "test" if drawn < share else "validation" if drawn < 2 * share else "train"


def _near(name: str, known: Sequence[str]) -> str:
    """Names that are spelt like it, as a whole or behind the owner; without any, the first ones there are."""
    keys: dict[str, str] = {}
    for one in known:
        keys |= {one.casefold(): one, one.casefold().rpartition("/")[2]: one}
    wanted = (name.casefold(), name.casefold().rpartition("/")[2])
    found = [
        keys[key] for part in wanted for key in difflib.get_close_matches(part, keys, n=SHOWN, cutoff=0.6)
    ]
    if found:
        return f"Closest: {', '.join(dict.fromkeys(found))}."
    more = f" and {len(known) - SHOWN} more" if len(known) > SHOWN else ""
    return f"Expected one of {', '.join(sorted(known)[:SHOWN])}{more}."
