"""What a corpus consists of, once it is known which files are in it: `corpus.json` and `corpus_report.json`."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from tasks.data.curation.code.file_log import FileLog
from tasks.data.curation.code.files import Files
from tasks.formats.code_tokens import QUALITIES
from tasks.formats.corpus import CorpusInfo
from tasks.formats.corpus_report import Contaminated, Copies, CorpusReport, Redacted
from tasks.formats.dataset import SPLITS

SIZES = ((1_000, "under 1 kB"), (4_000, "1 to 4 kB"), (16_000, "4 to 16 kB"), (64_000, "16 to 64 kB"))
LARGEST = "64 kB and more"
SHOWN = 50


def corpus_info(
    files: Files, log: FileLog, splits: Sequence[str], held_out: tuple[str, ...], file_share: float
) -> CorpusInfo:
    """Files, bytes and repositories of each split, and licences."""
    sizes, numbers = files.texts.sizes(), {split: log.in_split(split) for split in splits}
    repositories = files.names["repo_name"]
    return CorpusInfo(
        rows={split: len(of_split) for split, of_split in numbers.items()},
        bytes={split: int(sizes[of_split].sum()) for split, of_split in numbers.items()},
        repositories={
            split: len({repositories.values[code] for code in np.unique(repositories.codes[of_split])})
            for split, of_split in numbers.items()
        },
        licenses=_counted(files, log, "license"),
        held_out=held_out,
        file_share=file_share,
    )


def corpus_report(files: Files, log: FileLog) -> CorpusReport:
    """What the files are, and what was taken out of them."""
    left = np.flatnonzero(log.left)
    limits = [limit for limit, _ in SIZES]
    classes = np.bincount(np.digitize(files.texts.sizes()[left], limits), minlength=len(SIZES) + 1)
    names = [*(name for _, name in SIZES), LARGEST]
    gone = [int(number) for number in log.taken.get("contaminated", ())]
    secrets, addresses = files.columns["secrets"][left], files.columns["addresses"][left]
    qualities = files.columns["quality"]
    return CorpusReport(
        repositories=dict(list(_counted(files, log, "repo_name").items())[:SHOWN]),
        sizes={name: int(count) for name, count in zip(names, classes, strict=True)},
        languages=_counted(files, log, "language"),
        qualities={
            split: {
                quality: int((qualities[log.in_split(split)] == place).sum())
                for place, quality in enumerate(QUALITIES)
            }
            for split in SPLITS
            if len(log.in_split(split))
        },
        tests=int(files.columns["test"][left].sum()),
        copies=Copies(
            exact=len(log.taken["exact_duplicates"]),
            near=len(log.taken.get("near_duplicates", ())),
            across=log.across,
        ),
        redacted=Redacted(
            files=int(((secrets > 0) | (addresses > 0)).sum()),
            secrets=int(secrets.sum()),
            addresses=int(addresses.sum()),
        ),
        problems=_commonest(files.overlaps[number].problem for number in gone),
        contaminated=tuple(
            Contaminated(place=files.place(number), **files.overlaps[number]._asdict())
            for number in gone[:SHOWN]
        ),
    )


def _counted(files: Files, log: FileLog, column: str) -> dict[str, int]:
    """Files that are left by the names of a kind, the commonest first."""
    names, counted = files.names[column], Counter[str]()
    for name, count in zip(
        names.values, np.bincount(names.codes[log.left], minlength=len(names.values)), strict=True
    ):
        counted[name] += int(count)
    return _ordered(+counted)


def _commonest(names: Iterable[str]) -> dict[str, int]:
    return _ordered(Counter(names))


def _ordered(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
