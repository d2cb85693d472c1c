"""What may be shown of a setting that holds a secret."""

import pytest

from infra.settings import without_credentials

URI = "https://robot:pa%2Fss@mlflow.example.org/api"


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        (URI, "https://mlflow.example.org/api"),
        ("postgresql://robot:a@b@host/db", "postgresql://host/db"),
        ("sqlite:////home/mlflow.db", "sqlite:////home/mlflow.db"),
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
        ("http://[broken", "http://[broken"),
        ("", ""),
    ],
)
def test_a_uri_is_shown_without_name_and_password(uri: str, shown: str) -> None:
    assert without_credentials(uri) == shown


@pytest.mark.parametrize(
    "said", [f"GET {URI}/runs failed", "login of robot with 'pa%2Fss'", "no such user: pa/ss"]
)
def test_a_message_about_it_is_shown_without_them(said: str) -> None:
    shown = without_credentials(said, URI)
    assert "pa%2Fss" not in shown and "pa/ss" not in shown
    assert shown.split()[0] == said.split()[0]
