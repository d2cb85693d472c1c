"""The tiny chain of two stages as a flow's command line: `python -m tests.faults.tiny_flow`, a run in seconds."""

from pathlib import Path

from infra.cli.flow_command import FlowCommand
from infra.cli.flow_run import RunnableFlow
from tests.infra.chain import ChainConfig, ChainResult, chain

RUNNABLE: RunnableFlow[ChainConfig, ChainResult, ChainResult] = RunnableFlow(
    flow=chain, summary=lambda result: result, exit_code=lambda result: 0
)
COMMAND = FlowCommand(
    name="chain",
    description="Spell, repeat, publish.",
    config=ChainConfig,
    presets=Path(__file__).parent,
    load=lambda: RUNNABLE,
)

if __name__ == "__main__":
    raise SystemExit(COMMAND.main())
