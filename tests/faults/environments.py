"""Environments of real machines, each with a tiny flow run in it: `python -m tests.faults.environments` prints the table.

Each either simply works, or ends with one message that names the variable and the remedy.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
PATIENCE = 500.0  # seconds for any run, on a busy machine
GONE = "/gone/certificates"
NOBODY = 12345  # a number that no user has
DEAD = "{dead}"  # stands for an address of this machine where nothing listens
FILE = "{file}"  # stands for a file in the working folder
TRACE = "Traceback"


@dataclass(frozen=True)
class Environment:
    """Variables to set (None: to take away), files in the working folder, and what must come of it.

    `said` are words of the one message; without them the run simply works. `dry` asks for a dry run alone.
    """

    name: str
    variables: Mapping[str, str | None]
    said: tuple[str, ...] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)
    arguments: tuple[str, ...] = ("--dry-run",)
    module: str = "tests.faults.tiny_flow"
    as_nobody: bool = False
    code: int = 2

    @property
    def expected(self) -> int:
        """The exit code."""
        return self.code if self.said else 0


@dataclass(frozen=True)
class Outcome:
    """How a run ended, what it printed, and how long it took, s."""

    code: int
    out: str
    err: str
    seconds: float

    def line(self, words: tuple[str, ...]) -> str:
        """The line that has all the words, or the last one."""
        lines = (self.out + self.err).splitlines() or [""]
        return next((line for line in lines if words and all(word in line for word in words)), lines[-1])


PROXY = f"http://{DEAD}"
LATIN = "# Müll\nSTILLHOUSE_HUB=local\n".encode("latin-1")
REAL: tuple[str, ...] = ()  # no arguments: a run, not a dry one

ENVIRONMENTS = (
    Environment("HTTP_PROXY", {"HTTP_PROXY": PROXY, "HTTPS_PROXY": PROXY}, arguments=REAL),
    Environment("http_proxy, NO_PROXY", {"http_proxy": PROXY, "NO_PROXY": "corp.example"}, arguments=REAL),
    Environment("ALL_PROXY", {"ALL_PROXY": PROXY}, arguments=REAL),
    Environment("ALL_PROXY=socks5", {"ALL_PROXY": f"socks5://{DEAD}"}, ("ALL_PROXY", "unset ALL_PROXY")),
    Environment(
        "PREFECT_API_URL, nothing there",
        {"PREFECT_API_URL": f"http://{DEAD}/api"},
        ("PREFECT_API_URL", "nothing answers", "unset PREFECT_API_URL"),
        arguments=REAL,
    ),
    Environment(
        "PREFECT_API_URL, no address",
        {"PREFECT_API_URL": "prefect"},
        ("PREFECT_API_URL", "unset PREFECT_API_URL"),
        arguments=REAL,
    ),
    *(
        Environment(name, {name: GONE}, (name, GONE, f"unset {name}"))
        for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
    ),
    Environment(
        "PYTHONIOENCODING=ascii",
        {"PYTHONIOENCODING": "ascii", "LC_ALL": "C"},
        files={"zwölf.py": b""},
        module="tests.faults.tiny_print",
    ),
    Environment("tasks.py", {}, files={"tasks.py": b"import invoke_is_not_here"}, module="flows.data"),
    Environment(
        "STILLHOUSE_HOME is a file",
        {"STILLHOUSE_HOME": FILE},
        ("STILLHOUSE_HOME", "is a file", "move the file away"),
        files={"file": b""},
    ),
    Environment(
        "STILLHOUSE_HOME below a file",
        {"STILLHOUSE_HOME": f"{FILE}/home"},
        ("STILLHOUSE_HOME", "is a file", "move the file away"),
        files={"file": b""},
        arguments=REAL,
    ),
    Environment("no HOME, no passwd entry", {"HOME": None}, as_nobody=True, arguments=REAL),
    Environment(
        "STILLHOUSE_ENV_FILE in Latin-1",
        {"STILLHOUSE_ENV_FILE": FILE},
        ("/file", "not UTF-8", "Save the file as UTF-8"),
        files={"file": LATIN},
    ),
    Environment(
        "a mistyped setting",
        {"STILLHOUSE_STROE": "file:///mnt/team"},
        ("STILLHOUSE_STROE is not a setting", "did you mean STILLHOUSE_STORE?"),
        code=0,
    ),
    Environment(
        "a mistyped setting in STILLHOUSE_ENV_FILE",
        {"STILLHOUSE_ENV_FILE": FILE},
        ("STILLHOUSE_HBU in", "/file is not a setting", "did you mean STILLHOUSE_HUB?"),
        files={"file": b"STILLHOUSE_HBU=local\n"},
        code=0,
    ),
    Environment(
        "STILLHOUSE_ENV_FILE is not there",
        {"STILLHOUSE_ENV_FILE": FILE},
        ("STILLHOUSE_ENV_FILE", "is not there", "unset STILLHOUSE_ENV_FILE"),
    ),
    Environment(
        ".env in the working folder",
        {},
        ("not read:", "/.env", "set STILLHOUSE_ENV_FILE="),
        files={".env": b"STILLHOUSE_HUB=https://attacker.example/x\n"},
        code=0,
    ),
)


def run(environment: Environment, folder: Path, home: Path) -> Outcome:
    """Run the flow in a process of its own, in a working folder with the environment's files."""
    for name, content in environment.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    variables = {"STILLHOUSE_HOME": str(home), "PYTHONPATH": str(ROOT)} | environment.variables
    known = {name: value for name, value in os.environ.items() if name not in ("PREFECT_HOME", "no_proxy")}
    filled = known | {
        name: value.replace(DEAD, dead_address()).replace(FILE, str(folder / "file"))
        for name, value in variables.items()
        if value is not None
    }
    for name in [name for name, value in variables.items() if value is None]:
        filled.pop(name, None)
    command = [sys.executable, "-m", environment.module, *environment.arguments]
    if environment.as_nobody:
        for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
            filled.pop(name, None)
        who = ("--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups")
        # A home that this user may write, and what root alone may read of Python.
        command = [
            "setpriv",
            *who,
            "--inh-caps=+dac_read_search",
            "--ambient-caps=+dac_read_search",
            *command,
        ]
        for place in (folder, home):
            place.mkdir(parents=True, exist_ok=True)
            for path in (place, *place.rglob("*")):
                os.chown(path, NOBODY, NOBODY)
    began = time.monotonic()
    done = subprocess.run(
        command,
        cwd=folder,
        env=filled,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=PATIENCE,
    )
    return Outcome(done.returncode, done.stdout, done.stderr, time.monotonic() - began)


def dead_address() -> str:
    """host:port of this machine where nothing listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def _places() -> Iterator[tuple[Path, Path]]:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        place = Path(folder) / "work"
        place.mkdir()
        yield place, Path(folder) / "home"


def main() -> int:
    """Print a line an environment; 1 when one of them did not end as it must."""
    wrong = 0
    print(f"{'environment':<32}{'exit':>5}{'s':>7}  what it says")
    for environment in ENVIRONMENTS:
        if environment.as_nobody and (os.geteuid() != 0 or shutil.which("setpriv") is None):
            print(f"{environment.name:<32}    -      -  needs root and setpriv: another user is made up")
            continue
        with _places() as (folder, home):
            outcome = run(environment, folder, home)
        said = outcome.line(environment.said)
        fine = outcome.code == environment.expected and all(word in said for word in environment.said)
        wrong += not fine or TRACE in outcome.err
        shown = said if environment.said else "works" if fine else said
        print(f"{environment.name:<32}{outcome.code:>5}{outcome.seconds:>7.1f}  {shown}", flush=True)
    return min(wrong, 1)


if __name__ == "__main__":
    raise SystemExit(main())
