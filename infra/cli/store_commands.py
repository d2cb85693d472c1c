"""The command `store` of `python -m infra.cli`: what a home has, put into the shared store."""

from typing import TYPE_CHECKING

from pydantic import BaseModel, Field
from pydantic_settings import CliApp, CliSubCommand

from infra.engine.registry import check_kept_home
from infra.errors import StoreError, StoreUnreachable
from infra.machine.terminal import Terminal, one_line
from infra.settings import get_settings
from infra.store.artifacts import Store
from infra.store.record import Record
from infra.store.shared.sharing import open_remote

if TYPE_CHECKING:
    from infra.store.shared.remote_store import RemoteStore

console = Terminal()


class Push(BaseModel):
    """Upload every artifact of this home that the shared store does not have. May be broken off and repeated."""

    check: bool = Field(False, description="ask the store for each, also those that are known to be there")

    def cli_cmd(self) -> None:
        """A line for each that was sent; raises StoreError where one could not be, at once if nothing answers."""
        settings = get_settings()
        check_kept_home(settings)
        store = Store(settings)
        remote = open_remote(settings, store)
        here = [record for record in store.records() if store.is_here(record)]
        records = [record for record in here if record.stage not in settings.store_keep_home]
        missing = [record for record in records if not self._is_there(remote, record)]
        size = failed = 0
        for number, record in enumerate(missing, start=1):
            line = f"{number}/{len(missing)} {record.stage} {record.digest[:12]}:"
            try:
                sent = remote.push(record)
            except StoreUnreachable as error:
                raise StoreUnreachable(
                    f"{error} {number - 1 - failed} of {len(missing)} artifacts were sent. Run the command again."
                ) from None
            except StoreError as error:
                failed += 1
                console.print(one_line(f"{line} {error}"))
                continue
            size += sent.sent
            other = f"; another machine's {sent.other[:12]} stays there" if sent.other else ""
            console.print(f"{line} {sent.sent / 1e6:.1f} MB sent{other}")
        console.print(
            f"{len(missing) - failed} artifacts sent to {remote.url}, {size / 1e6:.1f} MB;"
            f" {len(records) - len(missing)} were there."
        )
        if len(here) > len(records):
            console.print(
                f"{len(here) - len(records)} artifacts of {', '.join(settings.store_keep_home)} stay in the home."
            )
        if failed:
            raise StoreError(f"{failed} artifacts were not sent: see above. Run the command again.")

    def _is_there(self, remote: "RemoteStore", record: Record) -> bool:
        return remote.holds(record, carried=True) if self.check else remote.knows(record)


class StoreCommands(BaseModel):
    """The shared store of `STILLHOUSE_STORE`."""

    push: CliSubCommand[Push] = Field(description="upload what the shared store does not have yet")

    def cli_cmd(self) -> None:
        """Run the command that was named."""
        CliApp.run_subcommand(self)
