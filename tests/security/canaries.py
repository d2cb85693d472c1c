"""Eight secrets in the environment that are looked for in everything that is left behind and said."""

import json
import stat
import subprocess
from pathlib import Path

from tests.faults.processes import PROJECT, environment
from tests.flows.test_secrets import leaks
from tests.typed import typed

PATIENCE = 600.0  # seconds for any command, on a busy machine
HF, HUB, AWS = "hf_canary1of8huggingface", "hf_canary2of8stillhouse", "canary3of8/aws+secret"
MLFLOW_TOKEN, MLFLOW_PASSWORD = "canary4of8mlflowtoken", "canary5of8mlflowpassword"
HEADER, LOGIN, POSTGRES = "canary6of8prefectheader", "canary7of8prefectlogin", "canary8of8postgresql"
PREFECT_LOGIN = "Prefect's login"
SECRETS = {
    "HF_TOKEN": HF,
    "the Hub's token": HUB,
    "AWS's secret": AWS,
    "MLflow's token": MLFLOW_TOKEN,
    "MLflow's password": MLFLOW_PASSWORD,
    "Prefect's header": HEADER,
    PREFECT_LOGIN: LOGIN,
    "PostgreSQL's password": POSTGRES,
}
ENVIRONMENT = {
    "HF_TOKEN": HF,
    "STILLHOUSE_HUB_TOKEN": HUB,
    "AWS_ACCESS_KEY_ID": "AKIATEST",
    "AWS_SECRET_ACCESS_KEY": AWS,
    "MLFLOW_TRACKING_TOKEN": MLFLOW_TOKEN,
    "MLFLOW_TRACKING_USERNAME": "bob",
    "MLFLOW_TRACKING_PASSWORD": MLFLOW_PASSWORD,
    "MLFLOW_BACKEND_STORE_URI": f"postgresql://bob:{POSTGRES}@127.0.0.1:9/mlflow",
    "PREFECT_CLIENT_CUSTOM_HEADERS": json.dumps({"X-Proxy-Token": HEADER}),
    "PREFECT_API_AUTH_STRING": f"admin:{LOGIN}",
    "PREFECT_SERVER_API_AUTH_STRING": f"admin:{LOGIN}",
}
# With these nothing answers: Prefect's database, MLflow, the Hub.
AWAY = {
    "PREFECT_SERVER_DATABASE_CONNECTION_URL": f"postgresql+asyncpg://bob:{POSTGRES}@127.0.0.1:9/prefect",
    "STILLHOUSE_MLFLOW_URI": f"http://bob:{MLFLOW_PASSWORD}@127.0.0.1:9",
    "STILLHOUSE_HUB": "http://127.0.0.1:9/org",
}


class Said:
    """Runs commands with the secrets in their environment, and keeps what each of them printed in a file."""

    def __init__(self, home: Path, folder: Path) -> None:
        self.home, self.folder = home, folder
        folder.mkdir()

    def run(self, name: str, module: str, *arguments: str, **more: str) -> int:
        """The exit code of `stillhouse ARGUMENTS`, or of `python -m MODULE ARGUMENTS`."""
        done = subprocess.run(
            typed(module, *arguments),
            env=environment(self.home, **ENVIRONMENT, **more),
            cwd=PROJECT,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        (self.folder / name).write_text(done.stdout + done.stderr)
        return done.returncode

    def leaks(self) -> list[str]:
        """Which secrets stand where: in the home or in what was printed. A login's own file may hold the login."""
        found = leaks(self.folder, SECRETS) + leaks(self.home, SECRETS)
        return [leak for leak in found if not _in_its_own_file(leak)]


def _in_its_own_file(leak: str) -> bool:
    name, _, path = leak.partition(" in ")
    return name == PREFECT_LOGIN and stat.S_IMODE(Path(path).stat().st_mode) == 0o600
