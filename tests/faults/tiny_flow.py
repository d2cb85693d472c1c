"""The tiny chain of two stages as a flow's command line: `python -m tests.faults.tiny_flow`, a run in seconds."""

from pathlib import Path

from infra.cli.flow_command import FlowCommand
from tests.infra.chain import ChainConfig, ChainResult, chain

COMMAND: FlowCommand[ChainConfig, ChainResult, ChainResult] = FlowCommand(
    name="chain",
    description="Spell, repeat, publish.",
    config=ChainConfig,
    flow=chain,
    summary=lambda result: result,
    exit_code=lambda result: 0,
    presets=Path(__file__).parent,
)

if __name__ == "__main__":
    raise SystemExit(COMMAND.main())
