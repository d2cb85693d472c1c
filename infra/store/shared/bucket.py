"""What a bucket of any cloud does the same way through fsspec."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_exponential_jitter

from infra.store.shared.object_store import Cause, ObjectStore, refused

PARALLEL = 4
Answer = TypeVar("Answer")
Item = TypeVar("Item")


class BucketObjects(ObjectStore, ABC):
    """See `ObjectStore`. A cloud adds how it is asked whether it is there, how it takes a file, and its errors."""

    attempts: int

    def __init__(self, url: str, files: Any, bucket: str, prefix: str, part_bytes: int) -> None:
        self.url, self.files, self.bucket, self.prefix = url, files, bucket, prefix
        self.part_bytes = part_bytes

    @staticmethod
    @abstractmethod
    def classify(error: BaseException) -> tuple[Cause, str]:
        """What stands behind a client's error, and its class and code."""

    def sizes(self, folder: str) -> dict[str, int]:
        """See `ObjectStore.sizes`."""
        return {name: int(info["size"]) for name, info in self.listed(folder).items()}

    def listed(self, folder: str) -> dict[str, dict[str, Any]]:
        """What the cloud says of each object under a folder, by its name relative to it."""
        place = f"{self.bucket}/{self.key(folder)}/"
        with suppress(FileNotFoundError):
            found = self.ask(f"listing {folder}", lambda: self.files.find(place, detail=True))
            return {name.removeprefix(place): info for name, info in found.items()}
        return {}

    def read(self, name: str) -> bytes | None:
        """See `ObjectStore.read`."""
        with suppress(FileNotFoundError):
            return bytes(self.ask(f"reading {name}", lambda: self.files.cat_file(self.path(name))))
        return None

    def read_range(self, name: str, start: int, end: int) -> bytes:
        """See `ObjectStore.read_range`."""
        path = self.path(name)
        with suppress(FileNotFoundError):
            return bytes(self.ask(f"reading {name}", lambda: self.files.cat_file(path, start=start, end=end)))
        return b""

    def create(self, name: str, data: bytes) -> bool:
        """See `ObjectStore.create`: S3 is asked with If-None-Match, Cloud Storage with ifGenerationMatch=0."""
        try:
            self.ask(f"writing {name}", lambda: self.files.pipe_file(self.path(name), data, mode="create"))
        except FileExistsError:
            return False
        return True

    def delete(self, name: str) -> None:
        """See `ObjectStore.delete`."""
        with suppress(FileNotFoundError):
            self.ask(f"deleting {name}", lambda: self.files.rm_file(self.path(name)))

    def ask(self, doing: str, request: Callable[[], Answer]) -> Answer:
        """The answer to a request, tried again where only time helps, beyond what the client itself tries.

        Of a client's error only its class and code are shown: its text can hold what was sent.
        Raises StoreError; FileNotFoundError and FileExistsError are answers, and pass.
        """
        again = Retrying(
            stop=stop_after_attempt(self.attempts),
            wait=wait_exponential_jitter(initial=0.3, max=5),
            retry=retry_if_exception(lambda error: self.classify(error)[0] == "unreachable"),
            reraise=True,
        )
        try:
            return again(request)
        except (FileNotFoundError, FileExistsError):
            raise
        except Exception as error:
            cause, found = self.classify(error)
            raise refused(self.url, doing, cause, found) from None

    def key(self, name: str) -> str:
        """Name of an object in its bucket."""
        return f"{self.prefix}/{name}" if self.prefix else name

    def path(self, name: str) -> str:
        """The same, as fsspec names it."""
        return f"{self.bucket}/{self.key(name)}"

    def parts(self, size: int, most: int | None = None) -> list[tuple[int, int]]:
        """Offset and length of each part of a file, at most so many of them."""
        length = max(self.part_bytes, -(-size // most) if most else 0)
        return [(start, min(length, size - start)) for start in range(0, size, length)]


def in_parallel(
    work: Callable[[Item], Answer], items: list[Item], at_once: int = PARALLEL
) -> Iterator[Answer]:
    """Results in order. After the first failure nothing more is begun."""
    with ThreadPoolExecutor(at_once, thread_name_prefix="store") as pool:
        yield from pool.map(work, items)  # which cancels what has not begun


def read_part(source: Path, start: int, length: int) -> bytes:
    """A part of a file."""
    with source.open("rb") as file:
        file.seek(start)
        return file.read(length)
