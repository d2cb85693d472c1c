"""What starts the processes of a stage's own. Outside of config and key: what they compute is the same."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from infra.engine.stage import Stage
from infra.errors import ConfigError
from infra.machine import ends_with_parent
from infra.machine.cpu import usable_cores
from infra.machine.processes import LOOPBACK
from infra.settings import Settings

MODULE = "infra.engine.child"
AGENT = "agent"  # beside the spec: where torch.distributed.run meets itself


class Launcher:
    """A way to start a spec: one process, on this machine. `name` is as `--launcher` has it."""

    name: ClassVar[str] = "local"

    def command(self, spec: Path) -> list[str]:
        """What to run."""
        return [sys.executable, "-m", MODULE, str(spec)]

    def environment(self) -> dict[str, str]:
        """What it needs to be set."""
        return {}


@dataclass(frozen=True)
class Torchrun(Launcher):
    """Several processes on this machine that share a training, started and watched by torch.distributed.run.

    (`accelerate launch --cpu --num_processes 2` runs one and says nothing.)
    """

    name: ClassVar[str] = "torchrun"
    processes: int

    def command(self, spec: Path) -> list[str]:
        """See `Launcher.command`. Its agent ends when this process does, and takes them along."""
        agent = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", str(self.processes), "--max-restarts", "0",
                 "--rdzv-backend", "c10d", "--rdzv-conf", "store_type=file", "--rdzv-endpoint", str(spec.with_name(AGENT)),
                 "--local-addr", LOOPBACK,
                 "--module", MODULE, str(spec)]  # fmt: skip
        return [sys.executable, "-S", str(ends_with_parent.__file__), str(os.getpid()), *agent]

    def environment(self) -> dict[str, str]:
        """See `Launcher.environment`. The cores are shared out, and they speak to each other inside this machine.

        Its agent and they meet at files (infra/engine/child.py): torch.distributed's own store listens on every interface.
        """
        threads = max(1, usable_cores() // self.processes)
        wanted = {
            "OMP_NUM_THREADS": str(threads),
            "GLOO_SOCKET_IFNAME": "lo0" if sys.platform == "darwin" else "lo",
            "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1",
        }
        return {name: value for name, value in wanted.items() if name not in os.environ}


def launcher_for(settings: Settings, stage: Stage[..., Any]) -> Launcher:
    """What the settings ask for; one process where a stage cannot be shared."""
    check_launcher(settings)
    if settings.launcher == "torchrun" and stage.distributed:
        return Torchrun(settings.processes)
    return Launcher()


def check_launcher(settings: Settings) -> None:
    """Raises ConfigError for settings that contradict each other."""
    if settings.processes > 1 and settings.launcher == "local":
        raise ConfigError(
            f"{settings.processes} processes are asked for, and the launcher local starts one: expected torchrun. Give "
            "--launcher torchrun (STILLHOUSE_LAUNCHER), or leave --processes out."
        )
    if settings.launcher != "local" and not settings.stage_processes:
        raise ConfigError(
            f"the launcher {settings.launcher} is asked for, and STILLHOUSE_STAGE_PROCESSES is false: expected stages in "
            "processes of their own. Take one of the two away."
        )
