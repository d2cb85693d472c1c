"""Who is champion of a model, and every change of it: a history that is only ever appended to.

The journal of the model's repository on the Hub, `promotions.jsonl`, has one JSON object a line:

    {"time": ..., "action": "promote" | "rollback", "from": {...} | null, "to": {"revision": ..., "package": ...},
     "verdict": ..., "reason": ...}

Its last line says who is champion; `main` on the Hub and then the alias `champion` in MLflow's registry follow it, in
this order. A line is there before `main` moves, or together with it: what a kill leaves undone in between is done by the
next change, or by `stillhouse models history`. A line that a kill or a full disk cut short never counted, and the
next line takes its place.
"""

import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel, Field, ValidationError
from tenacity import retry, retry_if_exception_type, stop_after_attempt

from infra.errors import HubError
from infra.hub.protocol import JOURNAL, Hub, JournalConflict

ATTEMPTS = 5
CHAMPION = "champion"  # the alias in MLflow's registry
SHOWN = 12


class Champion(BaseModel, frozen=True, extra="forbid"):
    """A release that is or was champion."""

    revision: str = Field(description="revision on the Hub")
    package: str | None = Field(
        None, description="digest of the package; null for a release from before there was this history"
    )

    @property
    def tags(self) -> dict[str, str]:
        """What its version in MLflow's registry is known by."""
        return {"digest": self.package} if self.package else {"hub_revision": self.revision}


class Promotion(BaseModel, frozen=True, extra="forbid", populate_by_name=True):
    """One change of champion."""

    time: str = Field(description="ISO 8601, UTC")
    action: Literal["promote", "rollback"]
    before: Champion | None = Field(alias="from", description="champion until then; null for the first")
    after: Champion = Field(alias="to", description="champion from then on")
    verdict: str | None = Field(None, description="the gate's verdict on `to`; null for a rollback")
    reason: str = Field("", description="why, in a sentence")


class Promotions:
    """The history of one model's champions. Reading needs no lock; each change holds the repository's."""

    def __init__(self, hub: Hub, repo: str) -> None:
        self.hub, self.repo = hub, repo
        self.address = hub.address("model", repo)

    def lines(self) -> tuple[Promotion, ...]:
        """Every change, oldest first. Raises HubError when a line is not one."""
        return self._parsed(self._text())

    def champion(self) -> Champion | None:
        """Who is champion by this history; None before its first line."""
        lines = self.lines()
        return lines[-1].after if lines else None

    def taken_down(self, package: str) -> Promotion | None:
        """The rollback that took a package down, unless it was promoted again since."""
        return _taken_down(self.lines(), package)

    @retry(retry=retry_if_exception_type(JournalConflict), stop=stop_after_attempt(ATTEMPTS), reraise=True)
    def promote(
        self,
        champion: Champion,
        verdict: str,
        reason: str,
        again: bool = False,
        unrecorded: Champion | None = None,
    ) -> bool:
        """Make a published revision champion; nothing happens when it is. Returns whether it is champion now.

        A package that a rollback took down is not, unless it is asked for `again`. `unrecorded` is what `main`
        is in a repository from before there was this history.
        """
        with self.hub.locked("model", self.repo):
            text = self._text()
            lines = self._parsed(text)
            if champion.package and not again and _taken_down(lines, champion.package):
                return False
            before = lines[-1].after if lines else unrecorded
            if lines and before == champion:
                self._settle(champion)
                return True
            former = None if before == champion else before
            line = Promotion(
                time=_now(), action="promote", before=former, after=champion, verdict=verdict, reason=reason
            )
            self._change(line, text)
        return True

    def next_rollback(self, reason: str) -> Promotion:
        """What a rollback would do now, or one that was killed before `main` moved. Changes nothing.

        Raises HubError when there is no champion before this one, or its files are gone.
        """
        lines = self.lines()
        if lines and lines[-1].action == "rollback" and not self._settled(lines[-1].after):
            return lines[-1]
        order = champions(lines)
        if len(order) < 2:
            known = f"only {order[0].revision[:SHOWN]}" if order else "none"
            raise HubError(
                f"{self.repo} has no champion to go back to in {self.address}: found {known}, expected two at "
                "least. Nothing was changed. See `stillhouse models history` for the history."
            )
        before, after = order[-1], order[-2]
        if not self.hub.is_whole("model", self.repo, after.revision):
            raise HubError(
                f"the champion before of {self.repo}, revision {after.revision[:SHOWN]}, is no longer whole in "
                f"{self.address}: expected its files as they were published. Nothing was changed. Restore the "
                "snapshot from a backup, or release that model again."
            )
        return Promotion(time=_now(), action="rollback", before=before, after=after, reason=reason)

    def roll_back(self, planned: Promotion) -> None:
        """Do what `next_rollback` planned. Raises HubError when the champion changed in the meantime."""
        with self.hub.locked("model", self.repo):
            text = self._text()
            last = self._parsed(text)[-1]
            if last == planned:
                self._settle(planned.after)
                return
            if last.after == planned.before:
                with suppress(JournalConflict):
                    self._change(planned, text)
                    return
        raise HubError(
            f"{self.repo} has another champion by now: expected it not to change while it is rolled back. Nothing "
            "was changed. Look at `stillhouse models history`, then try again."
        )

    def settle(self) -> Champion | None:
        """Let `main` follow the last line, where a kill came between the two. Who is champion; None before the first."""
        if (champion := self.champion()) is None or self._settled(champion):
            return champion
        with self.hub.locked("model", self.repo):
            # Read again: who held the lock may have added a line.
            if (champion := self.champion()) is not None:
                self._settle(champion)
        return champion

    def _text(self) -> bytes:
        return self.hub.journal("model", self.repo)

    def _parsed(self, text: bytes) -> tuple[Promotion, ...]:
        found = []
        for number, line in enumerate(text.split(b"\n")[:-1], 1):
            try:
                found.append(Promotion.model_validate_json(line))
            except ValidationError as error:
                raise HubError(
                    f"line {number} of {self.address}/{JOURNAL} is no promotion ({error.errors()[0]['msg']}): "
                    "expected one as written by Stillhouse. Restore the file from a backup, or correct the line."
                ) from None
        return tuple(found)

    def _change(self, line: Promotion, text: bytes) -> None:
        """Add a line to the journal that was read as `text`, and let `main` follow."""
        entry = json.dumps(line.model_dump(by_alias=True), ensure_ascii=False).encode() + b"\n"
        self.hub.set_main("model", self.repo, line.after.revision, entry, text)

    def _settled(self, champion: Champion) -> bool:
        return self.hub.main("model", self.repo) == champion.revision

    def _settle(self, champion: Champion) -> None:
        if not self._settled(champion):
            self.hub.set_main("model", self.repo, champion.revision)


def champions(lines: tuple[Promotion, ...]) -> list[Champion]:
    """The order of succession: who would be champion after a rollback, after two, ... stand before the last.

    A release of the champion's own package (a new card) takes its place; who was taken down is out of it.
    """
    order = [lines[0].before] if lines and lines[0].before else []
    for line in lines:
        if line.action == "rollback" or (
            order and order[-1].package and order[-1].package == line.after.package
        ):
            order.pop()
        if line.action == "promote":
            order.append(line.after)
    return order


def _taken_down(lines: tuple[Promotion, ...], package: str) -> Promotion | None:
    for line in reversed(lines):
        if line.after.package == package:
            return None
        if line.action == "rollback" and line.before and line.before.package == package:
            return line
    return None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
