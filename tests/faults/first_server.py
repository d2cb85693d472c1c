"""Whether a second server could start while the first one of a home makes its tables, and once it has."""

from infra.machine import environment

environment.prepare()

from filelock import FileLock, Timeout  # noqa: E402

from infra.machine.prefect_server import temporary_server  # noqa: E402
from infra.settings import get_settings  # noqa: E402

if __name__ == "__main__":
    settings = get_settings()

    def ask() -> None:
        settings.locks.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(settings.locks / "prefect.lock").acquire(blocking=False):
                print("free")
        except Timeout:
            print("waits")

    with temporary_server(settings, meanwhile=ask):
        ask()
