"""System calls that code in the sandbox is refused, as a seccomp filter in the bytes that bubblewrap takes (`--seccomp`).

What namespaces do not cut off, or what much of the kernel stands behind: sockets (a namespace of networks does not hold
AF_VSOCK), System V memory and memory files (no rlimit counts them), keyrings, io_uring, tracing, mounting. Python computes
without any of them. The filter is classic BPF: seccomp(2), section "Filters"; Documentation/userspace-api/seccomp_filter.rst.
"""

import struct
from collections.abc import Mapping
from platform import machine

from infra.errors import SandboxError

# <linux/audit.h>, and the numbers of <asm/unistd_64.h> and of <asm-generic/unistd.h>.
_ARCHITECTURES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}
THIS = machine()
DENIED: dict[str, tuple[int, int]] = {
    "socket": (41, 198), "shmget": (29, 194), "msgget": (68, 186), "semget": (64, 190), "mq_open": (240, 180),
    "memfd_create": (319, 279), "memfd_secret": (447, 447), "add_key": (248, 217), "request_key": (249, 218),
    "keyctl": (250, 219), "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "kcmp": (312, 272), "pidfd_getfd": (438, 438), "perf_event_open": (298, 241), "bpf": (321, 280),
    "userfaultfd": (323, 282), "io_uring_setup": (425, 425), "unshare": (272, 97), "setns": (308, 268),
    "chroot": (161, 51), "pivot_root": (155, 41), "mount": (165, 40), "umount2": (166, 39), "open_tree": (428, 428),
    "move_mount": (429, 429), "fsopen": (430, 430), "fsmount": (432, 432), "mount_setattr": (442, 442),
    "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265), "fanotify_init": (300, 262), "quotactl": (179, 60),
    "syslog": (103, 116), "personality": (135, 92), "init_module": (175, 105), "finit_module": (313, 273),
    "kexec_file_load": (320, 294), "swapon": (167, 224), "reboot": (169, 142),
}  # fmt: skip
_LOAD, _EQUAL, _AT_LEAST, _RETURN = (
    0x20,
    0x15,
    0x35,
    0x06,
)  # BPF_LD|W|ABS, BPF_JMP|JEQ|K, BPF_JMP|JGE|K, BPF_RET|K
_NUMBER, _ARCH = 0, 4  # offsets in struct seccomp_data
_ALLOW, _KILL, _EPERM = 0x7FFF0000, 0x80000000, 0x00050001
_X32 = 0x40000000  # numbers of x86-64's second table of calls, which would pass by the first one's


def seccomp_filter(denied: Mapping[str, tuple[int, int]] = DENIED, processor: str = THIS) -> bytes:
    """The filter for a processor, by default this machine's. Raises SandboxError for one whose numbers are not known here."""
    if processor not in _ARCHITECTURES:
        raise SandboxError(
            f"generated code cannot be held on {processor}: expected {' or '.join(_ARCHITECTURES)}, whose system calls are "
            "known. Run it on such a machine."
        )
    architecture, column = _ARCHITECTURES[processor]
    numbers = [pair[column] for pair in denied.values()]
    refused = [(_EQUAL, len(numbers) - place, 0, number) for place, number in enumerate(numbers)]
    program = [
        (_LOAD, 0, 0, _ARCH),
        (_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
        (_AT_LEAST, len(numbers) + 1, 0, _X32),
        *refused,
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _EPERM),
    ]
    return b"".join(struct.pack("=HBBI", *step) for step in program)
