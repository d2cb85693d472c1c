"""What this process was started for, as far as that is plain before anything of it is read."""

import sys

from infra.machine.program import program

NO_RUN = {"-h", "--help", "--dry-run", "--dry_run"}


def runs_a_flow() -> bool:
    """Whether it is `python -m flows.x` or `stillhouse run x`, to run it and not to look at it."""
    started = program().startswith("flows.") or (program() == "stillhouse" and sys.argv[1:2] == ["run"])
    return started and not NO_RUN & set(sys.argv)
