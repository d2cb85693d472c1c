"""Which children of a process are Prefect's temporary servers: they serve that process alone, and end with it."""

import psutil

from infra.machine.processes import Child

# Ours (infra/machine/prefect_server.py) and Prefect's own, which a flow called from Python gets, are told by the same two.
MARK = "PREFECT__SERVER_EPHEMERAL"
APPLICATION = "prefect.server.api.server:create_app"


def temporary_servers() -> tuple[Child, ...]:
    """Those of this process. Whatever else it has started is its own affair: a notebook's children, a service's."""
    found = filter(is_temporary_server, psutil.Process().children())
    return tuple(filter(None, (Child.if_alive(process.pid) for process in found)))


def is_temporary_server(process: psutil.Process) -> bool:
    """Whether a process is a temporary server of Prefect's; False as well for one that has ended or is another user's."""
    try:
        return APPLICATION in process.cmdline() and MARK in process.environ()
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False
