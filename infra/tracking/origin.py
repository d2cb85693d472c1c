"""Whose run it is, of what program and code: what MLflow's own client would note by itself, without importing it."""

import getpass
import os
from functools import lru_cache

from infra.machine.program import program
from infra.store.record import code_revision
from infra.tracking.login import NOBODY, USER

BY, SOURCE, KIND = "mlflow.user", "mlflow.source.name", "mlflow.source.type"
COMMIT, DIRTY = "mlflow.source.git.commit", "mlflow.source.git.dirty"
CHANGED = "+changed"
SCHEDULED = "PREFECT__FLOW_RUN_ID"  # set by the worker of a deployment for the process of its run


@lru_cache(maxsize=1)
def origin() -> dict[str, str]:
    """Tags that every run of this process carries. A place on this machine is in none of them."""
    tags = {BY: user(), SOURCE: program(), KIND: "JOB" if SCHEDULED in os.environ else "LOCAL"}
    if revision := code_revision():
        tags |= {COMMIT: revision.removesuffix(CHANGED), DIRTY: str(revision.endswith(CHANGED)).lower()}
    return tags


def user() -> str:
    """The name that the tracking server is given, else that of the operating system's user."""
    named = os.environ.get(USER)
    return named if named and named != NOBODY else getpass.getuser()
