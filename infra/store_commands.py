"""The command `store` of `python -m infra.cli`: what a home has, put into the shared store."""

from pydantic import BaseModel, Field
from pydantic_settings import CliApp, CliSubCommand
from rich.console import Console

from infra.errors import StoreError
from infra.settings import get_settings
from infra.sharing import open_remote
from infra.store import Store

console = Console(soft_wrap=True, highlight=False, markup=False)


class Push(BaseModel):
    """Upload every artifact of this home that the shared store does not have. May be broken off and repeated."""

    check: bool = Field(False, description="ask the store for each, also those that are known to be there")

    def cli_cmd(self) -> None:
        """A line for each that was sent; raises StoreError at the end when one could not be."""
        settings = get_settings()
        store = Store(settings)
        remote = open_remote(settings, store)
        pushed, failed = 0, []
        for record in store.records():
            if remote.holds(record) if self.check else remote.known.knows(record.stage, record.key):
                continue
            try:
                sent = remote.push(record)
            except StoreError as error:
                failed.append(error)
                console.print(f"{record.stage} {record.digest[:12]}: {error}")
                continue
            pushed += 1
            other = f"; another machine's {sent.other[:12]} stays there" if sent.other else ""
            console.print(f"{record.stage} {record.digest[:12]}: {sent.sent / 1e6:.1f} MB sent{other}")
        console.print(f"{pushed} artifacts sent to {remote.url}.")
        if failed:
            raise StoreError(f"{len(failed)} artifacts were not sent: see above. Run the command again.")


class StoreCommands(BaseModel):
    """The shared store of `STILLHOUSE_STORE`."""

    push: CliSubCommand[Push] = Field(description="upload what the shared store does not have yet")

    def cli_cmd(self) -> None:
        """Run the command that was named."""
        CliApp.run_subcommand(self)
