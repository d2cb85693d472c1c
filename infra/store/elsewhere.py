"""Artifacts of which the home has the record alone: their files lie in a shared store, whose address lies beside the record."""

from collections.abc import Collection
from pathlib import Path
from typing import Protocol

from infra.store.record import ELSEWHERE_FILE, Record


class Elsewhere(Protocol):
    """The shared store, which has the files that a home has only the record of."""

    def answers(self) -> bool:
        """Whether they can be had now."""

    def bring(self, record: Record) -> None:
        """Get them into the home. The caller holds the key. Raises StoreError or ArtifactError with what to do."""

    def bring_part(self, record: Record, names: Collection[str]) -> None:
        """Get these alone into the home, to be looked at; likewise."""


def elsewhere_of(folder: Path) -> str | None:
    """Address of the shared store that has an artifact's files, while only its record is here."""
    try:
        return (folder / ELSEWHERE_FILE).read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return None
