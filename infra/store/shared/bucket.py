"""What a bucket of any cloud does the same way through fsspec."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from infra.store.shared.object_store import Answer, Cause, asked

PARALLEL = 4
Item = TypeVar("Item")


class BucketObjects(ABC):
    """See `ObjectStore`. A cloud adds how it is asked whether it is there, how it takes a file, and its errors."""

    attempts: int

    def __init__(self, url: str, files: Any, bucket: str, prefix: str, part_bytes: int) -> None:
        self.url, self.files, self.bucket, self.prefix = url, files, bucket, prefix
        self.part_bytes = part_bytes

    @staticmethod
    @abstractmethod
    def classify(error: BaseException) -> tuple[Cause, str]:
        """What stands behind a client's error, and its class and code."""

    @abstractmethod
    def check(self) -> None:
        """See `ObjectStore.check`."""

    @abstractmethod
    def send(self, source: Path, name: str) -> int:
        """See `ObjectStore.send`."""

    def sizes(self, folder: str) -> dict[str, int]:
        """See `ObjectStore.sizes`."""
        return {name: int(info["size"]) for name, info in self.listed(folder).items()}

    def listed(self, folder: str) -> dict[str, dict[str, Any]]:
        """What the cloud says of each object under a folder, by its name relative to it."""
        place = f"{self.bucket}/{self.key(folder)}/"
        try:
            found = self.ask(f"listing {folder}", lambda: self.files.find(place, detail=True))
        except FileNotFoundError:
            return {}
        return {name.removeprefix(place): info for name, info in found.items()}

    def read(self, name: str) -> bytes | None:
        """See `ObjectStore.read`."""
        try:
            data: bytes = self.ask(f"reading {name}", lambda: self.files.cat_file(self.path(name)))
        except FileNotFoundError:
            return None
        return data

    def read_range(self, name: str, start: int, end: int) -> bytes:
        """See `ObjectStore.read_range`."""
        path = self.path(name)
        try:
            data: bytes = self.ask(f"reading {name}", lambda: self.files.cat_file(path, start=start, end=end))
        except FileNotFoundError:
            return b""
        return data

    def create(self, name: str, data: bytes) -> bool:
        """See `ObjectStore.create`: S3 is asked with If-None-Match, Cloud Storage with ifGenerationMatch=0."""
        try:
            self.ask(f"writing {name}", lambda: self.files.pipe_file(self.path(name), data, mode="create"))
        except FileExistsError:
            return False
        return True

    def delete(self, name: str) -> None:
        """See `ObjectStore.delete`."""
        try:
            self.ask(f"deleting {name}", lambda: self.files.rm_file(self.path(name)))
        except FileNotFoundError:
            return

    def ask(self, doing: str, request: Callable[[], Answer]) -> Answer:
        """See `object_store.asked`."""
        return asked(self.url, doing, self.classify, request, self.attempts)

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
        futures = [pool.submit(work, item) for item in items]
        try:
            for future in futures:
                yield future.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def read_part(source: Path, start: int, length: int) -> bytes:
    """A part of a file."""
    with source.open("rb") as file:
        file.seek(start)
        return file.read(length)
