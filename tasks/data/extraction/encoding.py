"""Text files as they come: plain or gzipped, UTF-8 or what some office program left."""

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TextIO, cast

from infra.errors import DataError
from tasks.data.extraction.cap import Count, Reading, uncapped

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

STRAY_NULS = 0.01  # share of lines with NUL bytes up to which a file is still text: exports have a few
FEWEST_LINES = 1000  # lines read before a file with many of them is given up
LONGEST_LINE = 1 << 26  # bytes; a longer one is no table, and would be read into memory whole
PIECE = 1 << 17  # bytes read at once
SAMPLE_BYTES = 1 << 16  # of the lines that are not UTF-8, for guessing what they are
SHOWN = 5  # line numbers named in a message
BYTE_ORDER_MARKS = (
    (b"\xff\xfe\0\0", "utf-32"),
    (b"\0\0\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
# Single-byte Western code pages explain the same bytes, so the guess is among what exports are written in.
CANDIDATES = [
    "cp1252", "cp1250", "cp1251", "koi8_r", "cp1253", "cp1254", "cp1255", "cp1256",
    "shift_jis", "gb18030", "big5", "euc_kr", "euc_jp",
]  # fmt: skip


@dataclass(frozen=True)
class Encoding:
    """How to decode a file, and what is to be said about it (None for UTF-8)."""

    name: str
    note: str | None = None


@dataclass
class _Survey:
    """Lines of a file by whether they are UTF-8."""

    broken: int = 0
    first_broken: list[int] = field(default_factory=list)
    sample: bytearray = field(default_factory=bytearray)
    proper: int = 0  # lines with characters beyond ASCII that are UTF-8
    nul: list[int] = field(default_factory=list)  # lines with NUL bytes

    def add(self, number: int, line: bytes) -> None:
        try:
            line.decode("utf-8")
            self.proper += 1
        except UnicodeDecodeError:
            self.broken += 1
            if len(self.first_broken) < SHOWN:
                self.first_broken.append(number)
            if len(self.sample) < SAMPLE_BYTES:
                self.sample += line


def detect_encoding(path: Path, reading: Reading = uncapped) -> Encoding:
    """Read a file once and say how it is encoded, in constant memory.

    Raises DataError, naming lines, for a binary file, for one that mixes encodings and for one that nothing decodes;
    CostCapError where `reading` finds too much.
    """
    with open_bytes(path, reading) as stream:
        head = stream.read(4)
    for mark, name in BYTE_ORDER_MARKS:
        if head.startswith(mark):
            return Encoding(name, f"{path.name} is {name.upper()} by its byte order mark, and was decoded so")
    survey = _survey(path, reading)
    if not survey.broken:
        stray = numbers(survey.nul[:SHOWN], len(survey.nul))
        note = f"{path.name}, line {stray} holds a NUL character, which is left out of the text"
        return Encoding("utf-8-sig", note if survey.nul else None)
    lines = numbers(survey.first_broken, survey.broken)
    if survey.proper >= survey.broken:
        raise DataError(
            f"{path.name} mixes encodings: {survey.proper} lines are UTF-8, and line {lines} not. Expected "
            "one encoding in a file. Correct these lines or save the file as UTF-8."
        )
    guess = _guess(bytes(survey.sample))
    if guess is None:
        raise DataError(
            f"{path.name}, line {lines}: the bytes are in no encoding that is known. Save the file as UTF-8."
        )
    _check_all(path, guess, reading)
    return Encoding(
        guess,
        f"{path.name} is not UTF-8 (line {lines}): decoded as {guess}; save it as UTF-8 if letters look wrong",
    )


@contextmanager
def open_bytes(path: Path, reading: Reading = uncapped) -> Iterator[BinaryIO]:
    """A file's bytes, unpacked if it is gzipped, and counted as they are read.

    Raises DataError for a damaged archive and an unreadable file.
    """
    try:
        with gzip.open(path, "rb") if path.name.lower().endswith(".gz") else path.open("rb") as stream:
            yield io.BufferedReader(_Counted(cast(BinaryIO, stream), reading()), PIECE)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(
            f"{path.name} is a damaged gzip archive ({error}): expected a whole one. Copy or make it again."
        ) from None
    except PermissionError:
        raise DataError(f"{path} cannot be read: permission denied. Check its rights.") from None


@contextmanager
def open_text(path: Path, encoding: Encoding, reading: Reading = uncapped) -> Iterator[TextIO]:
    """A file's text with its line ends as they are."""
    with open_bytes(path, reading) as stream:
        try:
            yield io.TextIOWrapper(stream, encoding=encoding.name, newline="")
        except UnicodeDecodeError as error:
            raise DataError(
                f"{path.name} cannot be decoded as {encoding.name}: {error.reason} at bytes "
                f"{error.object[error.start : error.end]!r}. Save the file as UTF-8."
            ) from None


class _Counted(io.RawIOBase):
    """A stream that says how much was read of it."""

    def __init__(self, stream: BinaryIO, count: Count) -> None:
        self._stream, self._count = stream, count

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        piece = memoryview(buffer).cast("B")
        read = self._stream.read(len(piece))
        self._count(len(read))
        piece[: len(read)] = read
        return len(read)


def numbers(first: list[int], count: int) -> str:
    """`3, 7, 9` or `3, 7, 9, ... (120 in all)`."""
    listed = ", ".join(map(str, first))
    return listed if count <= len(first) else f"{listed}, ... ({count:,} in all)"


def _survey(path: Path, reading: Reading) -> _Survey:
    survey = _Survey()
    with open_bytes(path, reading) as stream:
        number = 0
        while line := stream.readline(LONGEST_LINE):
            number += 1
            if len(line) == LONGEST_LINE:
                remedy = (
                    "Turn the array into lines by: jq -c '.[]'."
                    if line.lstrip()[:1] == b"["
                    else "Look whether it is the file that was meant, and export it again."
                )
                raise DataError(
                    f"{path.name}, line {number} is longer than {LONGEST_LINE >> 20} MiB: expected one row a line. "
                    f"{remedy}"
                )
            if b"\0" in line:
                survey.nul.append(number)
            if not line.isascii():
                survey.add(number, line)
            if len(survey.nul) > max(1, STRAY_NULS * number) and number >= FEWEST_LINES:
                break
    if len(survey.nul) > STRAY_NULS * number:
        raise DataError(
            f"{path.name}, line {numbers(survey.nul[:SHOWN], len(survey.nul))} holds NUL bytes: expected text. "
            "Save the file as UTF-8."
        )
    return survey


def _guess(sample: bytes) -> str | None:
    from charset_normalizer import from_bytes

    matches = [match for match in from_bytes(sample, cp_isolation=CANDIDATES) if _is_text(str(match))]
    if not matches:
        return None
    best = matches[0]
    for match in matches:  # Of equals, the encoding that most exports have.
        equal = match.chaos == best.chaos and match.coherence == best.coherence
        if equal and "cp1252" in match.could_be_from_charset:
            return "cp1252"
    return str(best.encoding)


def _check_all(path: Path, encoding: str, reading: Reading) -> None:
    """The guess came from a sample: raise DataError at the first line of the whole file that it does not decode."""
    with open_bytes(path, reading) as stream:
        for number, line in enumerate(stream, start=1):
            try:
                line.decode(encoding)
            except UnicodeDecodeError as error:
                wrong = error.object[error.start : error.end]
                raise DataError(
                    f"{path.name}, line {number} cannot be decoded: the file looks like {encoding}, but for "
                    f"{wrong!r} here. Save the file as UTF-8."
                ) from None


def _is_text(text: str) -> bool:
    return all(
        (character >= " " and not "\x7f" <= character <= "\x9f") or character in "\t\r\n\f"
        for character in text
    )
