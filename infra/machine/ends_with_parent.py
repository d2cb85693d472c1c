"""A process that ends when its parent does, however the parent died. The standard library alone: a worker's first import.

    python -S infra/machine/ends_with_parent.py PARENT COMMAND ...

A flow that is killed cannot end the server that it started; the kernel can (Linux: prctl(2), PR_SET_PDEATHSIG, which
outlives execve(2)). Other systems have nothing like it: there a command is started as it is.
"""

import ctypes
import os
import signal
import sys
import threading
import time

PR_SET_PDEATHSIG = 1


def main(parent: int, command: list[str]) -> None:
    """Replace this process by `command`; `parent` is who must be alive."""
    end_with(parent, signal.SIGTERM)
    os.execv(command[0], command)


def end_with(parent: int, by: signal.Signals = signal.SIGKILL) -> None:
    """End this process when `parent` ends: by the kernel on Linux, elsewhere within a second."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(PR_SET_PDEATHSIG, by):
            raise OSError(ctypes.get_errno(), "prctl refused PR_SET_PDEATHSIG")
    else:
        look_after(parent)
    if os.getppid() != parent:  # It ended before the kernel was told.
        os._exit(1)


def look_after(parent: int) -> None:
    """End this process within a second of `parent`'s end. (The kernel's word is that of the thread that started it.)"""
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
