"""What generated code may try, as bodies of a function that returns True when it has got what it wanted."""

import os
from typing import NamedTuple

from tests.tasks.evaluation.code_execution.breached import Breach, adding, sharing, without

TMP_MB = 4
SYSCALL = {"add_key": {"x86_64": 248, "aarch64": 217}, "io_uring_setup": {"x86_64": 425, "aarch64": 425}}
CALL = {name: numbers[os.uname().machine] for name, numbers in SYSCALL.items()}
NEW_USER, NEW_MOUNT = 0x10000000, 0x00020000


class Attack(NamedTuple):
    """`body` of `attack()`; what is taken out; what is taken out of both runs, because it would stop the attack as well."""

    name: str
    body: str
    taken: Breach
    uncovered: Breach = Breach()


LIBC = "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n"
UNSHARE = LIBC + "assert libc.unshare({flags}) == 0\n"
NO_FILTER = Breach(allowed=("*",))
SHOWN = Breach((adding("--ro-bind", "{folder}", "{folder}"),))
UNSIZED = Breach((without("--size", f"{TMP_MB * 2**20}"),))
NESTED = Breach((without("--disable-userns"),))
MANY = Breach(limits={"processes": 64})

LINK = """
import os
os.symlink({secret!r}, 'link')
return open('link').read() == 'secret'
"""
KILL = """
import os
os.kill({victim}, 0)
return True
"""
CONNECT = """
import socket
socket.create_connection(('127.0.0.1', {port}), timeout=2).close()
return True
"""
ABSTRACT = """
import socket
socket.socket(socket.AF_UNIX).connect({abstract!r})
return True
"""
NETLINK = """
import socket
socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)
return True
"""
FULL = """
for n in range(6):
    open(f'{{n}}', 'wb').write(bytes(2**20))
return True
"""
HUGE = """
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
return open('x', 'wb').write(bytes(6 * 2**20)) == 6 * 2**20
"""
FORKS = """
import os, time
for n in range(12):
    if not os.fork():
        time.sleep(2)
        os._exit(0)
return True
"""
THREADS = """
import threading, time
for n in range(12):
    threading.Thread(target=time.sleep, args=(1,), daemon=True).start()
return True
"""
LIMIT = """
import resource
resource.setrlimit(resource.{limit}, ({value}, {value}))
return True
"""
BURN = """
import signal, time
signal.signal(signal.SIGXCPU, signal.SIG_IGN)
while time.process_time() < 1.5:
    pass
return True
"""
INHERITED = """
import os
for n in range(5, 32):
    try:
        return os.read(n, 9) == b'secret'
    except OSError:
        pass
"""
STDIN = """
import os
return os.fstat(0).st_rdev != os.stat('/dev/null').st_rdev
"""


def wrote(path: str) -> str:
    return f"open({path}, 'w').close()\nreturn True"


ATTACKS = [
    Attack("a secret file", "return open({secret!r}).read() == 'secret'", SHOWN),
    Attack("a secret file by a symbolic link", LINK, SHOWN),
    Attack(
        "a variable of the environment",
        "import os\nreturn os.environ['SECRET'] == 'secret'",
        Breach((without("--clearenv"),)),
        Breach(environment={"SECRET": "secret"}),
    ),
    Attack(
        "other processes in /proc",
        "return bool(open('/proc/{pid}/cmdline').read())",
        Breach((adding("--ro-bind", "/proc", "/proc"),)),
    ),
    Attack(
        "its own /proc", "return bool(open('/proc/self/maps').read())", Breach((adding("--proc", "/proc"),))
    ),
    Attack("a process to signal", KILL, Breach((sharing("pid"),))),
    Attack("a server of this machine", CONNECT, Breach((sharing("net"),)), NO_FILTER),
    Attack("an abstract socket of this machine", ABSTRACT, Breach((sharing("net"),)), NO_FILTER),
    Attack("a socket of any kind", NETLINK, Breach(allowed=("socket",))),
    Attack(
        "a write to a folder that is open to all",
        wrote("{folder!r} + '/new'"),
        Breach((adding("--bind", "{folder}", "{folder}"),)),
        SHOWN,
    ),
    Attack("a write to the root", wrote("'/new'"), Breach((without("--remount-ro", "/"),))),
    Attack("a write to /dev/shm", wrote("'/dev/shm/new'"), Breach((adding("--dev", "/dev"),))),
    Attack("a full disk", FULL, UNSIZED),
    Attack("a huge file", HUGE, Breach(limits={"file_bytes": 2**23}), UNSIZED),
    Attack("all memory", "return len(bytearray(200 * 2**20)) > 0", Breach(limits={"memory_bytes": 2**29})),
    Attack("many processes", FORKS, MANY),
    Attack("many threads", THREADS, MANY, Breach(limits={"memory_bytes": 2**32})),
    Attack(
        "many files",
        "kept = [open('/dev/null') for n in range(40)]\nreturn True",
        Breach(limits={"open_files": 64}),
    ),
    Attack(
        "a core",
        LIMIT.format(limit="RLIMIT_CORE", value=2**20),
        Breach(sources=(("(resource.RLIMIT_CORE, 0),", ""),)),
    ),
    Attack(
        "limits raised again",
        LIMIT.format(limit="RLIMIT_FSIZE", value=2**30),
        Breach(sources=(("(most, most)", "(most, most if what != resource.RLIMIT_FSIZE else 2**40)"),)),
    ),
    Attack(
        "CPU seconds for ever", BURN, Breach(limits={"cpu_seconds": 10}), Breach(limits={"cpu_seconds": 1})
    ),
    Attack(
        "a user namespace, where the filter lets it",
        UNSHARE.format(flags=NEW_USER) + "return True",
        NESTED,
        NO_FILTER,
    ),
    Attack(
        "a user namespace, where there may be one",
        UNSHARE.format(flags=NEW_USER) + "return True",
        Breach(allowed=("unshare",)),
        NESTED,
    ),
    Attack(
        "a mount",
        UNSHARE.format(flags=NEW_USER | NEW_MOUNT)
        + "return libc.mount(b'none', b'/tmp', b'tmpfs', 0, None) == 0",
        NESTED,
        NO_FILTER,
    ),
    Attack(
        "another root",
        UNSHARE.format(flags=NEW_USER) + "import os\nos.chroot('/tmp')\nreturn True",
        Breach(allowed=("chroot",)),
        NESTED + Breach(allowed=("unshare",)),
    ),
    Attack("tracing", LIBC + "return libc.ptrace(0, 0, 0, 0) == 0", Breach(allowed=("ptrace",))),
    Attack(
        "a key of the kernel",
        LIBC + f"return libc.syscall({CALL['add_key']}, b'user', b'k', b'v', 1, -2) > 0",
        Breach(allowed=("add_key",)),
    ),
    Attack(
        "io_uring",  # 14, EFAULT: the kernel has looked at the arguments
        LIBC + f"libc.syscall({CALL['io_uring_setup']}, 1, None)\nreturn ctypes.get_errno() == 14",
        Breach(allowed=("io_uring_setup",)),
    ),
    Attack(
        "memory files, which no limit counts",
        "import os\nreturn os.memfd_create('x') > 0",
        Breach(allowed=("memfd_create",)),
    ),
    Attack(
        "shared memory of System V",
        LIBC + "return libc.shmget(0, 4096, 0o1600) >= 0",
        Breach(allowed=("shmget",)),
    ),
    Attack(
        "shared memory of others",
        LIBC + "return libc.shmget({key}, 0, 0) >= 0",
        Breach((sharing("ipc"),)),
        NO_FILTER,
    ),
    Attack(
        "the machine's name",
        "import os\nreturn os.uname().nodename == {host!r}",
        Breach((sharing("uts"),)),
    ),
    Attack(
        "the terminal's session",  # 0: a session outside, whose terminal could be typed into
        "import os\nreturn os.getsid(0) == 0",
        Breach((without("--new-session"),)),
    ),
    Attack("an inherited descriptor", INHERITED, Breach(descriptors=(-1,))),
    Attack("standard input", STDIN, Breach(sources=(("os.dup2(nothing, 0)", ""),))),
]
