
"""A flow that says a line, and whose tracking server is out."""
from infra.machine import environment

environment.prepare()  # as every flow of ours does, by what it imports
from infra.engine.run import open_run
from prefect import flow
from pydantic import BaseModel


class Nothing(BaseModel):
    pass


@flow
def nightly() -> None:
    with open_run("nightly", Nothing()) as run:
        run.say("  curated 3 rows")
