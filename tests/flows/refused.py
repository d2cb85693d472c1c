"""What a flow refuses before anything is computed."""

from pathlib import Path
from typing import Any

import pytest

from infra.cli.flow_command import FlowCommand


def refused(command: FlowCommand[Any], asked: str, home: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """The one message that a command gives of what is `asked`, with code 2 and before there is a home."""
    assert command.main(asked.split()) == 2
    shown = capsys.readouterr()
    assert shown.err.startswith("ConfigError: ") and shown.out == ""
    assert not home.exists()
    return shown.err
