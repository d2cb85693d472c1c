"""`stillhouse doctor`: is this machine fit for the work?"""

from infra.cli import sources
from infra.machine.terminal import Terminal, one_line
from infra.settings import get_settings

COLOURS = {"ok": "green", "note": "yellow", "fault": "red"}

console = Terminal()


def doctor() -> int:
    """Look at versions, CPU, disk and services; say what to do. Exit code 1 if something is wrong."""
    from infra.cli.doctor import examine

    sources.tell()
    faults = 0
    for check in examine(get_settings()):
        faults += check.state == "fault"
        mark = (f"{check.state:<5}", COLOURS[check.state])
        console.print(one_line(mark, f" {check.name:<17} {check.found}"))
        if check.remedy:
            console.print(one_line(f"{'':>25}{check.remedy}"))
    return 1 if faults else 0
