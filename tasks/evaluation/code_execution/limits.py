"""What a process in the sandbox may use, set by itself before it runs anything of others. (Runs inside the sandbox.)

Hard limits: a process without privileges cannot raise them again, nor can what it starts.
"""

import resource
from typing import TypedDict


class Limits(TypedDict):
    """Of each process, but `processes`: processes and threads together."""

    cpu_seconds: int
    memory_bytes: int
    processes: int
    file_bytes: int
    open_files: int


def set_limits(limits: Limits) -> None:
    """Set soft and hard limits at once: at the CPU's the kernel kills without asking, no core is written.

    In a user namespace of one's own the kernel (5.14 and later) counts the processes in that namespace; an older one counts
    all processes and threads of the user.
    """
    for what, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, limits["file_bytes"]),
        (resource.RLIMIT_NOFILE, limits["open_files"]),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
        (resource.RLIMIT_NPROC, limits["processes"]),
        (resource.RLIMIT_CPU, limits["cpu_seconds"]),
        (resource.RLIMIT_AS, limits["memory_bytes"]),
    ):
        resource.setrlimit(what, (most, most))
