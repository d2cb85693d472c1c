"""What a run is called, in Prefect and in MLflow: its flow, what it is about, and the first digits of what it was asked."""

import hashlib
import json
from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from pydantic import BaseModel

from infra.errors import StillhouseError
from infra.store.fingerprint import canonical

DIGITS = 7
PREFIX = "stillhouse."


@runtime_checkable
class About(Protocol):
    """A config that says what a run of it is about."""

    name: str | None

    def about(self) -> Mapping[str, str]:
        """Facts of what is asked, by name: the recipe, the table, the model. No place on this machine."""


def run_name(flow: str, config: BaseModel) -> str:
    """`end_to_end tickets 3fa2b1c`: the same for everything that asks for the same. Raises ConfigError as `canonical`."""
    asked = json.dumps(canonical(config), sort_keys=True, separators=(",", ":"))
    digits = hashlib.sha256(asked.encode()).hexdigest()[:DIGITS]
    return " ".join(one for one in (flow, isinstance(config, About) and config.name, digits) if one)


def asked_about(config: BaseModel) -> dict[str, str]:
    """The same facts as MLflow's tags."""
    return (
        {PREFIX + name: value for name, value in config.about().items()} if isinstance(config, About) else {}
    )


def prefect_name() -> str:
    """For `@flow(flow_run_name=...)`: the name of a run of a flow that takes a `config`.

    Of one that names what cannot be read, it is the flow's: `open_run` says what is wrong.
    """
    from prefect.runtime import flow_run

    config, flow = flow_run.parameters["config"], str(flow_run.flow_name)
    try:
        return run_name(flow, config) if isinstance(config, BaseModel) else flow
    except StillhouseError:
        return flow


def prefect_run_id() -> str | None:
    """Prefect's id of the flow run that this is called in; None outside of one."""
    from prefect.context import FlowRunContext

    context = FlowRunContext.get()
    return str(context.flow_run.id) if context is not None and context.flow_run is not None else None
