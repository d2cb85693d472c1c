"""What `stillhouse doctor` says of a shared store: whether it answers, what to do, and never a secret."""

from pathlib import Path

import pytest

from infra.cli.check import Check
from infra.cli.home_checks import check_store
from infra.settings import Settings
from tests.fakes.faulty_proxy import Fault
from tests.infra.store.shared.conftest import SECRET, SharedPlace
from tests.infra.store.shared.machines import Machine

REFUSALS = {
    "s3": (403, b"<Error><Code>SignatureDoesNotMatch</Code><Message>AKIATEST: canary</Message></Error>"),
    "gs": (401, b'{"error": {"code": 401, "message": "token canary rejected"}}'),
}


def check(home: Path, url: str | None) -> Check:
    return check_store(Settings(home=home, store=url, _env_file=None))


def test_without_a_store_there_is_nothing_to_do(tmp_path: Path) -> None:
    assert check(tmp_path, None).state == "ok"


def test_a_store_that_answers_is_named(place: SharedPlace, tmp_path: Path) -> None:
    found = check(tmp_path / "home", place.url)
    assert (found.state, found.found, found.remedy) == ("ok", place.url, "")


def test_artifacts_of_which_only_the_record_is_here_are_counted(tmp_path: Path) -> None:
    url = (tmp_path / "store").as_uri()
    a, b = Machine(tmp_path / "a", url), Machine(tmp_path / "b", url)
    record = a.make({"word.txt": "one"})
    a.sharing().share(record)
    b.find(record)
    assert check(b.home, url).found == f"{url}; the files of 1 artifacts are there alone"
    without = check(b.home, None)
    assert without.state == "note"
    assert "Set STILLHOUSE_STORE" in without.remedy
    b.path(record)
    assert check(b.home, None).state == "ok"


def test_a_disk_that_is_not_mounted_is_a_fault(tmp_path: Path) -> None:
    found = check(tmp_path / "home", (tmp_path / "mnt" / "store").as_uri())
    assert found.state == "fault"
    assert "Mount it" in found.remedy


def test_a_wrong_address_is_a_fault_that_names_the_right_ones(tmp_path: Path) -> None:
    found = check(tmp_path, f"s3://key:{SECRET}@bucket/prefix")
    assert found.state == "fault"
    assert "expected file:///path, gs://bucket/prefix or s3://bucket/prefix" in found.remedy
    assert SECRET not in found.remedy


def test_a_wrong_bucket_is_a_fault_that_names_the_setting(cloud: SharedPlace, tmp_path: Path) -> None:
    found = check(tmp_path, f"{cloud.url[:2]}://no-such-bucket-here/prefix")
    assert found.state == "fault"
    assert "no such bucket" in found.remedy
    assert "STILLHOUSE_STORE" in found.remedy


def test_refused_credentials_are_a_fault_without_them(cloud: SharedPlace, tmp_path: Path) -> None:
    status, body = REFUSALS[cloud.url[:2]]
    cloud.failing.arm(Fault(0, "status", status=status, body=body, onward=True))
    found = check(tmp_path, cloud.url)
    assert found.state == "fault"
    assert "no usable credentials" in found.remedy
    assert not [secret for secret in (SECRET, "AKIATEST", "canary") if secret in found.remedy]


@pytest.mark.slow
def test_no_credentials_for_s3_say_where_they_are_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE",
                 "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    found = check(tmp_path, "s3://bucket/prefix")
    assert found.state == "fault"
    assert "AWS_PROFILE" in found.remedy
    assert "NoCredentialsError" in found.remedy


@pytest.mark.slow
@pytest.mark.parametrize(
    "content", [None, f'{{"type": "service_account", "private_key": "{SECRET}"}}', SECRET]
)
def test_no_usable_credentials_for_cloud_storage_say_how_to_get_some(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None
) -> None:
    monkeypatch.delenv("STORAGE_EMULATOR_HOST", raising=False)
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path / "gcloud"))
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    if content is not None:
        (tmp_path / "key.json").write_text(content)
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "key.json"))
    found = check(tmp_path, "gs://bucket/prefix")
    assert found.state == "fault"
    assert "gcloud auth application-default login" in found.remedy
    assert SECRET not in found.remedy
