"""What a run leaves behind: rows in MLflow's and Prefect's tables, bytes in the home.

    python -m tests.benchmarks.tracking_rows                         the tiny input, a fresh home: computed, then cached
    python -m tests.benchmarks.tracking_rows --cached 30 --gc        then all that can go is freed, and what is left
    python -m tests.benchmarks.tracking_rows --home .stillhouse      the default recipe, in a home that has run it

Each run is a process with Prefect's temporary server. The bytes of a database are those once everything is in it, and no
write-ahead log beside it.
"""

import argparse
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from tests.conftest import ROOT
from tests.flows.tiny import write_tiny
from tests.typed import typed

DATABASES = {"mlflow": Path("mlflow", "mlflow.db"), "prefect": Path("prefect", "prefect.db")}
TABLES = {
    "mlflow": ("runs", "metrics", "latest_metrics", "params", "tags"),
    "prefect": ("flow_run", "task_run", "task_run_state", "log", "artifact", "events", "event_resources"),
}


@dataclass(frozen=True)
class Left:
    """What lies in a home: rows by `database.table`, bytes by folder, those of a database as files of their own."""

    rows: dict[str, int] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)

    def since(self, before: "Left") -> "Left":
        """What was added."""
        return Left(
            {name: count - before.rows.get(name, 0) for name, count in self.rows.items()},
            {
                name: self.sizes.get(name, 0) - before.sizes.get(name, 0)
                for name in {**before.sizes, **self.sizes}
            },
        )

    @property
    def bytes(self) -> int:
        """Bytes of all."""
        return sum(self.sizes.values())

    def __str__(self) -> str:
        sizes = {name: f"{size / 1000:.1f}" for name, size in sorted(self.sizes.items()) if size}
        rows = ", ".join(f"{name} {count}" for name, count in self.rows.items() if count)
        return f"  rows  {rows}\n  kB    {', '.join(f'{n} {s}' for n, s in sizes.items())}; all {self.bytes / 1000:.1f}"


def look(home: Path) -> Left:
    """Count what is in a home that nobody uses. What a database has kept apart so far goes into it first."""
    rows, sizes = {}, {}
    for name, place in DATABASES.items():
        if (home / place).is_file():
            with closing(sqlite3.connect(home / place, timeout=60)) as database:
                database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                for table in TABLES[name]:
                    rows[f"{name}.{table}"] = int(
                        database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
                    )
    for path in home.rglob("*"):
        if path.is_file() and not path.is_symlink():
            first = path.relative_to(home)
            place = str(first) if first in DATABASES.values() else first.parts[0]
            sizes[place] = sizes.get(place, 0) + path.stat().st_size
    return Left(rows, sizes)


def run(home: Path, command: Sequence[str]) -> None:
    """A command of ours in that home, its lines to the terminal's stderr. Raises CalledProcessError unless it passes."""
    environment = {name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"}
    environment |= {"STILLHOUSE_HOME": str(home), "PREFECT_HOME": str(home / "prefect")}
    subprocess.run(typed(*command), cwd=ROOT, env=environment, check=True, stdout=sys.stderr)


def main(arguments: list[str]) -> int:
    """Run, and print what each added."""
    parser = argparse.ArgumentParser(
        "python -m tests.benchmarks.tracking_rows",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--cached", type=int, default=1, help="how often the flow is run again")
    parser.add_argument("--gc", action="store_true", help="free what can go at last")
    parser.add_argument("--home", type=Path, help="a home in which the default recipe was run")
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="stillhouse-rows-") as scratch:
        folder = Path(scratch)
        home, flow = (asked.home or folder / "home").absolute(), ["flows.end_to_end"]
        if asked.home is None:
            flow += write_tiny(folder).arguments()
            run(home, flow)
        first = before = look(home)
        print(f"before\n{first}", flush=True)
        for number in range(asked.cached):
            run(home, flow)
            after = look(home)
            print(f"cached run {number + 1} adds\n{after.since(before)}", flush=True)
            before = after
        if asked.gc:
            run(home, ("stillhouse", "artifacts", "gc", "--keep-days", "0"))
            after = look(home)
            print(f"after gc --keep-days 0, since the first line\n{after.since(first)}")
            print(f"the home is {100 * (after.bytes / first.bytes - 1):+.1f}% of what it was")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
