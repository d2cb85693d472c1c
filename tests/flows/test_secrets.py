"""Secrets of the environment are looked for in everything that runs leave behind and say: every byte of it."""

import base64
import gzip
import io
import json
import sqlite3
import zipfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, quote, quote_plus

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from prefect.logging.handlers import APILogHandler
from prefect.settings import PREFECT_API_KEY, PREFECT_SERVER_DATABASE_CONNECTION_URL, temporary_settings

from infra.machine.processes import LOOPBACK
from tests.fakes.faulty_proxy import Fault
from tests.fakes.serving import serving
from tests.flows.clouds import HUB_TOKEN, S3_SECRET, Clouds, Runs, clouds
from tests.tasks.data.curation.extracts import sentences

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_server")]
HF_TOKEN = "hf_canary6of7the8machine"
PREFECT_KEY = "pnu_canary9api0key1of2prefect"
MLFLOW_PASSWORD = "canary3 word/of@mlflow"
REFUSED_BY_S3 = f"<Error><Code>SignatureDoesNotMatch</Code><Message>not {S3_SECRET}</Message></Error>"


@pytest.fixture
def arguments(tmp_path: Path) -> tuple[str, ...]:
    texts, labels = sentences(["no", "yes"], each=30)
    lines = [f"{text},{label}" for text, label in zip(texts, labels, strict=True)]
    (tmp_path / "answers.csv").write_text("\n".join(["text,label", *lines]) + "\n")
    (tmp_path / "answers.sql").write_text("SELECT text, label FROM answers ORDER BY text")
    return (
        "--extract.query",
        str(tmp_path / "answers.sql"),
        "--extract.table",
        str(tmp_path / "answers.csv"),
    )


@pytest.fixture
def there(tmp_path: Path, arguments: tuple[str, ...]) -> Iterator[Clouds]:
    import pyarrow.csv
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.csv.read_csv(tmp_path / "answers.csv"), tmp_path / "answers.parquet")
    with clouds("s3", {"answers": tmp_path / "answers.parquet"}) as made:
        yield made


@contextmanager
def token_server() -> Iterator[tuple[str, list[str]]]:
    """Where a service account's key is exchanged for a token: it refuses, and repeats what it got. Also gives that."""
    got: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            (assertion,) = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())[
                "assertion"
            ]
            got.append(assertion)
            answer = json.dumps(
                {"error": "invalid_grant", "error_description": f"bad signature in {assertion}"}
            ).encode()
            self.send_response(400)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *args: object) -> None:
            """Quiet."""

    with serving(ThreadingHTTPServer((LOOPBACK, 0), Handler)) as endpoint:
        yield f"{endpoint}/token", got


def key_file(path: Path, token_uri: str) -> str:
    """A service account's key file; gives its private key as it stands there."""
    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = made.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    account = {"type": "service_account", "project_id": "tests", "private_key_id": "canary4key5id", "private_key": pem,
               "client_email": "robot@tests.iam.gserviceaccount.com", "token_uri": token_uri}  # fmt: skip
    path.write_text(json.dumps(account))
    return pem


def texts(path: Path) -> Iterator[bytes]:
    """A file's bytes, those inside of gzip and zip, and every value of a SQLite database, whole."""
    content = path.read_bytes()
    yield from unpacked(content)
    if content.startswith(b"SQLite format 3"):
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as database:
            yield "\n".join(database.iterdump()).encode()


def unpacked(content: bytes) -> Iterator[bytes]:
    """Bytes as they are, and what is packed in them."""
    yield content
    if content.startswith(b"\x1f\x8b"):
        yield from unpacked(gzip.decompress(content))
    elif content.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for name in archive.namelist():
                yield from unpacked(archive.read(name))


def leaks(folder: Path, secrets: dict[str, str]) -> list[str]:
    """Which secrets stand in which files below a folder, in any of the ways in which a secret is written."""
    ways = {name: {secret, quote(secret), quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1],
                   base64.b64encode(secret.encode()).decode()} for name, secret in secrets.items()}  # fmt: skip
    return [
        f"{name} in {path}"
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        for content in texts(path)
        for name, forms in ways.items()
        if any(form.encode() in content for form in forms)
    ]


def prefect_database() -> Path | None:
    """Where the server of these tests keeps its runs; None where it is not ours to read."""
    url = PREFECT_SERVER_DATABASE_CONNECTION_URL.value()
    return (
        Path(str(getattr(url, "get_secret_value", lambda: url)()).partition(":///")[2]).parent
        if url
        else None
    )


@dataclass
class Said:
    """What runs said, by name, each in a file of `folder`."""

    folder: Path
    runs: Runs
    arguments: tuple[str, ...]
    capfd: pytest.CaptureFixture[str]

    def run(self, name: str, code: int) -> str:
        """Everything that a run with this exit code printed."""
        assert self.runs.run(*self.arguments) == code
        printed = "".join(self.capfd.readouterr())
        self.folder.mkdir(exist_ok=True)
        (self.folder / name).write_text(printed)
        return " ".join(printed.split())


def test_no_secret_is_left_behind_or_said_whether_a_run_succeeds_or_is_refused(
    arguments: tuple[str, ...], there: Clouds, runs: Runs, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    secrets = {"the Hub's token": HUB_TOKEN, "HF_TOKEN": HF_TOKEN, "the store's secret": S3_SECRET,
               "MLflow's password": MLFLOW_PASSWORD, "Prefect's key": PREFECT_KEY}  # fmt: skip
    said, key = Said(tmp_path / "said", runs, arguments, capfd), tmp_path / "key.json"
    with token_server() as (token_uri, exchanged), temporary_settings({PREFECT_API_KEY: PREFECT_KEY}):
        secrets["the private key"] = key_file(key, token_uri).splitlines()[5]
        given = there.settings | {"HF_TOKEN": HF_TOKEN, "GOOGLE_APPLICATION_CREDENTIALS": str(key)}
        home = runs.use("home", **given)
        assert "lies in" in said.run("success", 0)

        # Tracking is away, and one cloud after the other refuses and repeats what it was sent.
        given["STILLHOUSE_MLFLOW_URI"] = f"http://someone:{quote(MLFLOW_PASSWORD, safe='')}@127.0.0.1:9"
        runs.use("home", **given)
        there.hub.fail("/refs", 401, message=f"the token {HUB_TOKEN} is not known")
        printed = said.run("hub 401", 2)
        assert "set STILLHOUSE_HUB_TOKEN" in printed
        assert "MLflow at http://127.0.0.1:9 could not" in printed, "tracking that is away is said"
        there.hub.fail("/refs", 403, message=f"the token {HUB_TOKEN} may not")
        assert "the token may not do that" in said.run("hub 403", 2)
        other = runs.use("other", **given)
        there.store.arm(Fault(0, "status", status=403, body=REFUSED_BY_S3.encode(), onward=True))
        assert "no usable credentials" in said.run("store", 2)
        there.store.arm(None)
        runs.use("other", **given | {"STILLHOUSE_BIGQUERY_ENDPOINT": "https://127.0.0.1:9"})
        assert "the credentials for Google Cloud were refused" in said.run("warehouse", 2)
        APILogHandler().flush()

    secrets["the signed assertion"] = exchanged[0].rpartition(".")[2]
    published = tmp_path / "published"
    for number, commit in enumerate(
        item for repo in there.hub.repos.values() for item in repo.commits.values()
    ):
        for name, blob in commit.files.items():
            (published / str(number) / name).parent.mkdir(parents=True, exist_ok=True)
            (published / str(number) / name).write_bytes(blob.content)
    places = [home, other, said.folder, published, *filter(None, [prefect_database()])]
    assert [leak for place in places for leak in leaks(place, secrets)] == []


def test_the_search_finds_a_secret_wherever_it_is(tmp_path: Path) -> None:
    secret = {"it": "canary of/the+search"}
    with closing(sqlite3.connect(tmp_path / "base.db")) as database, database:
        database.execute("CREATE TABLE notes (note TEXT)")
        database.execute("INSERT INTO notes VALUES (?)", ["x" * 100_000 + secret["it"]])
    with zipfile.ZipFile(tmp_path / "archive.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inside.gz", gzip.compress(secret["it"].encode()))
    (tmp_path / "quoted.txt").write_text(quote(secret["it"], safe=""))
    (tmp_path / "innocent.txt").write_text("nothing")
    found = {leak.rpartition("/")[2] for leak in leaks(tmp_path, secret)}
    assert found == {"base.db", "archive.zip", "quoted.txt"}
