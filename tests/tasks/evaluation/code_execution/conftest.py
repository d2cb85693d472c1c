"""Where the system lets nobody make a sandbox (a container without namespaces) what needs one is skipped, and says why."""

import pytest

from infra.errors import SandboxError
from tasks.evaluation.code_execution.config import ExecutionConfig
from tasks.evaluation.code_execution.sandbox import Sandbox

NEEDS_ONE = ("test_attacks", "test_commands", "test_evaluate", "test_trial")


@pytest.fixture(scope="session")
def refusal() -> str:
    """Why there can be no sandbox here; empty where there can."""
    try:
        with Sandbox(ExecutionConfig()):
            return ""
    except SandboxError as error:
        return str(error)


@pytest.fixture(autouse=True)
def _sandbox(request: pytest.FixtureRequest) -> None:
    if request.path.stem in NEEDS_ONE and (why := request.getfixturevalue("refusal")):
        pytest.skip(why)
