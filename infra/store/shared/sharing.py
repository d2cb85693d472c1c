"""What a run does with the shared store: look there before it computes, put there what it computed.

What is there is a hit by its record alone; its files are fetched when somebody reads them. Without `STILLHOUSE_STORE`
none of it happens, and nothing of it is imported. A store that does not answer never stops a run: that is said once, and
the run goes on with its home alone. A wrong address, a missing bucket or credentials that do not open it do stop it,
before anything is computed. Stages of `STILLHOUSE_STORE_KEEP_HOME` are as without a store: nothing of them is put there,
and nothing is looked for.
"""

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, TypeVar

from rich.text import Text

from infra.errors import ArtifactError, StoreError, StoreUnreachable
from infra.machine.terminal import one_line
from infra.settings import Settings
from infra.store.artifacts import Lookup, Store
from infra.store.record import Record
from infra.store.shared.markers import SharedMarkers

if TYPE_CHECKING:
    from infra.store.shared.layout import Found
    from infra.store.shared.remote_store import RemoteStore, Transfer

Answer = TypeVar("Answer")
AGAIN = "it is put there at its next hit, or by `stillhouse artifacts push`"


def open_remote(settings: Settings, store: Store) -> "RemoteStore":
    """The shared store of the settings, asked whether it is there. Raises StoreError with the remedy."""
    from infra.store.shared.opening import EXPECTED, open_objects
    from infra.store.shared.remote_store import MIB, RemoteStore

    if settings.store is None:
        raise StoreError("there is no shared store: STILLHOUSE_STORE is not set; " + EXPECTED)
    objects = open_objects(settings.store, settings.store_part_mib * MIB, settings.store_timeout_s)
    objects.check()
    return RemoteStore(settings, store, objects, settings.store)


class Sharing:
    """The store of a run, with the shared one behind it. `makers` compute a key of this run again, if it comes to that."""

    def __init__(self, settings: Settings, store: Store, say: Callable[[str | Text], None]) -> None:
        self.settings, self.store, self.say = settings, store, say
        self.makers: dict[str, Callable[[], Record]] = {}
        self._remote: RemoteStore | None = None
        self._off = settings.store is None
        store.elsewhere = self

    def find(self, stage: str, key: str, full: bool = False) -> Lookup:
        """What is in the home, or else the record that the shared store has. The caller holds the key.

        Its files stay there until they are read; they come at once with `full`, or where some of them are here already.
        """
        here = self.store.find(stage, key, full)
        if here.record is not None or not self._shares(stage):
            return self._unpublished(stage, key, here)
        try:
            remote = self._open()
            found = remote.locate(stage, key)
            if found.record is None:
                return self._unpublished(stage, key, Lookup(None, found.problem or here.problem))
            folder, record = self.store.folder(stage, key), found.record
            if not full and not any((folder / name).is_file() for name in record.files):
                self.say(done("found", f"{stage}: {_amount(record)} stay in the store until they are read"))
                return Lookup(record, remote=True)
            found = remote.bring(record)
        except StoreUnreachable as error:
            self._go_on_alone(error)
            return self._unpublished(stage, key, self.store.find(stage, key, full))
        if found.record is None:
            return Lookup(None, found.problem)
        self._say_fetched(found.record)
        return Lookup(found.record)

    def look(self, stage: str, key: str, full: bool = False) -> Lookup:
        """The same for a dry run: nothing is downloaded but a record."""
        here = self.store.find(stage, key, full)
        if here.record is not None or not self._shares(stage):
            return here
        found = self._ask(lambda remote: remote.record(stage, key))
        if found is None:
            return here
        return Lookup(found.record, found.problem or here.problem, remote=True)

    def answers(self) -> bool:
        """Whether what lies in the shared store alone can be had. Raises StoreError where it refuses."""
        return self._ask(lambda remote: True) is not None

    def bring(self, record: Record) -> None:
        """Get the files of a record that lies in the home without them. The caller holds the key.

        What cannot be had is computed again by its maker, if this run knows it. Raises ArtifactError where it is not
        what it was then; StoreError and ArtifactError with what to do where there is no maker.
        """
        found = self._ask(lambda remote: remote.bring(record))
        if found is None:
            unreachable = StoreUnreachable(
                f"{record.stage}: {_amount(record)} lie in {self.settings.store} alone, which does not answer. Run the "
                "flow again: while it does not, they are computed anew."
            )
            self._make_again(record, unreachable)
        elif found.record is None:
            self._make_again(record, _damaged(found))
        else:
            self._say_fetched(found.record)

    def bring_part(self, record: Record, names: Collection[str]) -> None:
        """Get some files of a record that lies in the home without them. The caller holds the key.

        Raises StoreError where they cannot be had, ArtifactError where they are damaged there; nothing is computed.
        """
        found = self._ask(lambda remote: remote.bring_part(record, names))
        if found is None:
            raise StoreUnreachable(
                f"{record.stage}: its files lie in {self.settings.store} alone, which does not answer. Run the flow again "
                "when it does."
            )
        if found.record is None:
            raise _damaged(found)

    def publish(self, record: Record) -> Record:
        """Put what was just computed into the shared store, and give the record that is to exist in the home.

        That is the given one, or that of another machine which was first with other bytes: those lie in the home then,
        so that everything that is made from them has one digest everywhere. The caller holds the key, and writes the
        record that it gets. A failure is said, never raised: the run goes on with what it computed.
        """
        if not self._shares(record.stage):
            return record
        # A kill during the upload costs the rest of the upload, not what was computed.
        self.store.note_unpublished(record)
        sent = self._sent(record, lambda remote: remote.publish(record))
        return sent.record if sent is not None else record

    def share(self, record: Record) -> None:
        """Put an artifact of the home into the shared store, unless it is known to be there. A failure is said, never raised.

        Where another machine has put other bytes there, both stay as they are: what was made from either is in use.
        """
        if self.store.is_here(record) and self._shares(record.stage) and not self._known(record):
            self._sent(record, lambda remote: remote.push(record))

    def remote(self) -> "RemoteStore | None":
        """The shared store; None where there is none, or it did not answer. Raises StoreError with the remedy."""
        return None if self._off else self._open()

    def _shares(self, stage: str) -> bool:
        return not self._off and stage not in self.settings.store_keep_home

    def _sent(self, record: Record, send: "Callable[[RemoteStore], Transfer]") -> "Transfer | None":
        """What an upload came to, which is said; None where the store refused, which is said too, or was left alone."""
        try:
            sent = self._ask(send)
        except StoreError as error:
            self.say(odd(f"{record.stage} is not in the shared store: {error} Then {AGAIN}."))
            return None
        if sent is None:
            return None
        again = f", {(sent.size - sent.sent) / 1e6:.1f} MB were there" if sent.sent < sent.size else ""
        self.say(done("shared", f"{record.stage}: {sent.sent / 1e6:.1f} MB sent{again}"))
        if sent.record is not record:
            first = f"another machine was first, with other bytes; its {sent.record.digest[:12]} is taken"
            self.say(odd(f"{record.stage}: {first}, not {record.digest[:12]}"))
        elif sent.other is not None:
            self.say(odd(f"another machine has put {sent.other[:12]} there: same key, other bytes"))
        return sent

    def _unpublished(self, stage: str, key: str, lookup: Lookup) -> Lookup:
        """Where nothing was found: what a killed run had computed, and not put into the store any more."""
        record = self.store.unpublished(stage, key) if lookup.record is None else None
        if record is None:
            return lookup
        record = self.publish(record)
        self.store.commit(record)
        return Lookup(record)

    def _make_again(self, record: Record, problem: StoreError | ArtifactError) -> None:
        maker = self.makers.get(record.key)
        if maker is None:
            raise problem
        self.say(odd(f"{problem.args[0].partition(' Run the flow again')[0]} It is computed again."))
        made = maker()
        if made.digest != record.digest:
            raise ArtifactError(
                f"{record.stage} was computed again, since {record.digest[:12]} is gone from the shared store, and is "
                f"{made.digest[:12]} now: expected the same bytes. Run the flow again: it goes on from what is there now."
            )

    def _ask(self, question: Callable[["RemoteStore"], Answer]) -> Answer | None:
        """What the shared store answers; None where it is left alone, and where it does not answer, which is said."""
        if self._off:
            return None
        try:
            return question(self._open())
        except StoreUnreachable as error:
            self._go_on_alone(error)
            return None

    def _open(self) -> "RemoteStore":
        if self._remote is None:
            self._remote = open_remote(self.settings, self.store)
        return self._remote

    def _say_fetched(self, record: Record) -> None:
        self.say(done("fetched", f"{record.stage}: {_amount(record)} from the store"))

    def _known(self, record: Record) -> bool:
        url = self.settings.store
        return url is not None and SharedMarkers.of(self.settings, url).knows(record.stage, record.key)

    def _go_on_alone(self, error: StoreError) -> None:
        self._off = True
        self.say(odd(f"{error} The run goes on with its home alone; what it computes: {AGAIN}."))


def done(what: str, about: str) -> Text:
    """A line that says what was done."""
    return one_line("  ", (f"{what:<8}", "dim"), f" {about}")


def odd(about: str) -> Text:
    """A line that a person should notice."""
    return one_line((f"  {about}", "yellow"))


def _damaged(found: "Found") -> ArtifactError:
    return ArtifactError(f"{found.problem}. Run the flow again: it is computed anew.")


def _amount(record: Record) -> str:
    size = sum(file.size for file in record.files.values()) / 1e6
    return f"{len(record.files)} files, {size:.1f} MB"
