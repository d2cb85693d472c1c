"""A flow that can be run: the Prefect flow, and what becomes of its result. Importing this prepares the environment.

Flows import it first: it sets what Prefect reads when it is imported.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from pydantic import BaseModel

from infra.cli import messages
from infra.machine import environment, prefect_import, surroundings
from infra.machine.terminal import log_visibly

# What is wrong with settings and environment is found out here, while the flow's file is imported: Prefect makes
# clients of the network as soon as it is.
messages.show_uncaught()
log_visibly()
environment.prepare()
surroundings.refuse_obstacles()
prefect_import.import_prefect()

from prefect import Flow  # noqa: E402
from prefect.exceptions import PrefectHTTPStatusError  # noqa: E402

from infra.engine.run import PlanLine, RunOptions, run_options  # noqa: E402
from infra.errors import NotReleased, ServiceError  # noqa: E402
from infra.machine.prefect_server import temporary_server  # noqa: E402
from infra.settings import get_settings, without_credentials  # noqa: E402
from infra.tracking.tracker import prepare_tracking  # noqa: E402

Config = TypeVar("Config", bound=BaseModel)
Record = TypeVar("Record", bound=BaseModel)
Result = TypeVar("Result", bound=BaseModel)


@dataclass(frozen=True)
class RunnableFlow(Generic[Config, Record, Result]):
    """`summary` makes what `--report` writes, and the exit code, from what the flow returns."""

    flow: Flow[[Config], Any]  # a Record, or the state that it ends in where nothing is released
    summary: Callable[[Record], Result]
    exit_code: Callable[[Result], int]

    def plan(self, config: Config, full_verify: bool) -> list[PlanLine]:
        """What a run would compute, and why."""
        asked = RunOptions(dry_run=True, full_verify=full_verify)
        with run_options(asked):
            self.flow.fn(config)
        return asked.plan

    def run(self, config: Config, full_verify: bool) -> Result:
        """Run it with Prefect, which has a server of its own for that long where none is set."""
        asked = RunOptions(full_verify=full_verify)
        with temporary_server(get_settings(), meanwhile=prepare_tracking), run_options(asked):
            return self.summary(self._run(config))

    def _run(self, config: Config) -> Record:
        try:
            return cast("Record", self.flow(config))
        except NotReleased as ended:
            return cast("Record", ended.result)
        except PrefectHTTPStatusError as error:
            answer = error.response
            raise ServiceError(
                f"Prefect's server answered {answer.status_code} to {answer.request.method} "
                f"{without_credentials(str(answer.request.url))}: expected an API of Prefect 3. Correct PREFECT_API_URL, or "
                "take it away: a run then brings its own server."
            ) from None
