"""A script, run by its path: becomes a command that ends when its parent does, however the parent died.

    python -S infra/machine/ends_with_parent.py PARENT COMMAND ...

A flow that is killed cannot end the server that it started; the kernel can (Linux: prctl(2), PR_SET_PDEATHSIG, which
outlives execve(2)). Other systems have nothing like it: there it is started as it is.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(parent: int, command: list[str]) -> None:
    """Replace this process by `command`; `parent` is who must be alive."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM):
            raise OSError(ctypes.get_errno(), "prctl refused PR_SET_PDEATHSIG")
    if os.getppid() == parent:  # It may have died before the kernel was told.
        os.execv(command[0], command)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
