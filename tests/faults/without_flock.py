"""Run a Python program as on a disk without file locks: `without_flock.py -c CODE` or `-m MODULE ...`.

A seccomp filter of this process answers each `flock` with ENOSYS, as Lustre does without its mount option; what the
program starts has the filter too. (The program is put in place of this one, so nothing of it is touched.)
"""

import ctypes
import errno
import os
import platform
import sys

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, MODE_FILTER = 38, 22, 2
ALLOW, ERRNO = 0x7FFF0000, 0x00050000
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06  # of classic BPF
FLOCK = {"x86_64": 73, "aarch64": 32}


class Instruction(ctypes.Structure):
    _fields_ = (
        ("code", ctypes.c_uint16),
        ("if_true", ctypes.c_uint8),
        ("if_false", ctypes.c_uint8),
        ("value", ctypes.c_uint32),
    )


class Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_uint16), ("filter", ctypes.POINTER(Instruction)))


def refuse_flock() -> None:
    """From here on, `flock` is not implemented."""
    lines = (Instruction * 4)(
        Instruction(LOAD, 0, 0, 0),  # the number of the system call
        Instruction(EQUAL, 0, 1, FLOCK[platform.machine()]),
        Instruction(RETURN, 0, 0, ERRNO | errno.ENOSYS),
        Instruction(RETURN, 0, 0, ALLOW),
    )
    libc = ctypes.CDLL(None, use_errno=True)
    program = Program(len(lines), lines)
    for call in (
        (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
        (PR_SET_SECCOMP, MODE_FILTER, ctypes.byref(program), 0, 0),
    ):
        if libc.prctl(*call) != 0:
            raise OSError(ctypes.get_errno(), "seccomp")


if __name__ == "__main__":
    refuse_flock()
    os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
