"""The steps of a corpus' curation in their order, each of which takes files away or moves them, and is noted."""

from collections.abc import Sequence

import numpy as np

from tasks.data.curation.code.duplicates import equal_to, near_to
from tasks.data.curation.code.file_log import FileLog
from tasks.data.curation.code.files import Files
from tasks.data.curation.code.filters import PARSES, file_rules, unparsable
from tasks.data.curation.code.judge import EMPTY, REDACTION
from tasks.data.curation.code.split import split_by_repository, split_of_file
from tasks.data.curation.config import CurateCodeConfig
from tasks.formats.code_rows import PLACE_COLUMNS
from tasks.formats.dataset import SPLITS

TRAIN, TEST = SPLITS.index("train"), SPLITS.index("test")


def made_splits(config: CurateCodeConfig) -> list[str]:
    """The splits there will be, train first."""
    if _by_file(config):
        return [split for split in SPLITS if split != "validation" or config.file_share]
    shares = {"validation": config.validation_share, "test": config.test_share}
    return [split for split in SPLITS if shares.get(split, 1.0) > 0]


def take_steps(config: CurateCodeConfig, files: Files, held_out: Sequence[str]) -> FileLog:
    """Which files are left, and in which split. Raises DataError when none is, or for fewer repositories than splits.

    What is held out by name or file by file is so before copies are looked for: then theirs are the ones that stay. Splits of
    whole repositories are made of what is left.
    """
    log = FileLog(np.full(len(files), TRAIN, dtype=np.int8), files.example, files.place)
    _refusals(config, files, log)
    if _by_file(config):
        _split_by_file(config, files, held_out, log)
    _copies(config, files, log)
    if not _by_file(config):
        _split_by_repository(config, files, log)
    if config.decontaminate:
        _contaminated(config, files, log)
    for column in PLACE_COLUMNS if config.redact else ():
        changed = files.columns["path"] if column == "path" else files.names[column].redact()
        if (changed & log.left).any():
            log.change(f"redact_{column}", f"secrets and e-mail addresses in {column} replaced", changed)
    return log


def _by_file(config: CurateCodeConfig) -> bool:
    return bool(config.held_out or config.file_share)


def _refusals(config: CurateCodeConfig, files: Files, log: FileLog) -> None:
    refused = files.names["refused"]
    log.drop(EMPTY, "no text", refused.are(EMPTY))
    log.drop(PARSES, unparsable(config), refused.are(PARSES))
    for rule in file_rules(config):
        log.drop(rule.name, rule.reason, refused.are(rule.name))
    if config.redact:
        log.change("redact", "secrets and e-mail addresses replaced", files.columns["changed"])
        reason = "without what was redacted it is not this Python's syntax"
        log.drop(REDACTION, reason, refused.are(REDACTION))


def _split_by_file(config: CurateCodeConfig, files: Files, held_out: Sequence[str], log: FileLog) -> None:
    split = log.split.copy()
    for i in np.flatnonzero(log.left):
        split[i] = SPLITS.index(
            split_of_file(bytes(files.columns["digest"][i]), config.file_share, config.seed)
        )
    for name in held_out:
        split[files.names["repo_name"].are(name)] = TEST
    said = [f"test of {', '.join(held_out)}"] if held_out else []
    if config.file_share:
        said.append(
            f"{config.file_share:.2%} of the other files each for test and validation, seed {config.seed}"
        )
    log.set_splits("; ".join(said), split)


def _split_by_repository(config: CurateCodeConfig, files: Files, log: FileLog) -> None:
    left = np.flatnonzero(log.left)
    repositories = [files.names["repo_name"].of(int(number)) for number in left]
    made = split_by_repository(repositories, config.validation_share, config.test_share, config.seed)
    split = log.split.copy()
    split[left] = [SPLITS.index(name) for name in made]
    log.set_splits(f"{', '.join(made_splits(config))} of whole repositories, seed {config.seed}", split)


def _copies(config: CurateCodeConfig, files: Files, log: FileLog) -> None:
    everything = np.arange(len(files))
    like = equal_to(files.columns["digest"], log.held_out_first())
    log.drop("exact_duplicates", "equal to another file, but for blanks", like != everything, like)
    if config.near_duplicate_threshold is not None:
        threshold = config.near_duplicate_threshold
        words = files.columns["words"]
        like = near_to(threshold, log.held_out_first(), words, files.signatures.__getitem__, files.texts.text)
        reason = f"its words are {threshold:g} alike or more (Jaccard) to those of another file"
        log.drop("near_duplicates", reason, like != everything, like)


def _contaminated(config: CurateCodeConfig, files: Files, log: FileLog) -> None:
    """Files of test are not learned from, and stay."""
    gone = np.zeros(len(files), dtype=bool)
    gone[list(files.overlaps)] = True
    reason = (
        f"{config.decontaminate_ngram} words in a row are those of a problem that models are evaluated on"
    )
    log.drop("contaminated", reason, gone & (log.split != TEST))
