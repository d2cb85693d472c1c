"""Secrets and addresses are replaced, ordinary text is never touched."""

import re
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.data.curation.redact import EMAIL_PATTERN, redact, redact_texts, secret_patterns
from tests.tasks.data.curation.extracts import read_json_lines

# Made up, and put together here so that no scanner takes this file for a leak.
SECRETS = {
    "AWS key id": "AKIA" + "Q3EGRIPM7ZXLT4WA",
    "GitHub token": "ghp_" + "a1B2c3D4e5F6a1B2c3D4e5F6a1B2c3D4e5F6",
    "fine-grained GitHub token": "github_pat_" + "11ABCDEFG0123456789abcdef",
    "Hugging Face token": "hf_" + "abcdefghijklmnopqrstuvwxyzABCDEFGH",
    "Google key": "AIza" + "SyA1234567890abcdefghijklmnopqrstuv",
    "Slack token": "xoxb-" + "123456789012-1234567890123-abcdefabcdefabcdefabcdef",
    "Stripe key": "sk_live_" + "abcdefghijklmnopqrstuvwx",
    "project key": "sk-proj-" + "abcdefghij0123456789ABCD",
    "JSON web token": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9." + "eyJzdWIiOiIxIn0.c2lnbmF0dXJlc2lnbmF0dXJl",
    "GitLab token": "glpat-" + "abcdefghij0123456789",
    "private key": "-----BEGIN RSA PRIVATE KEY----- " + "MIIEow IBAAKC -----END RSA PRIVATE KEY-----",
}
ORDINARY = (
    "what is the pin number for my account?",
    "my password is not working, reset it please",
    "commit 53aa51172d142c89d9012cce15ae4d6cc0ca6895 broke the build",
    "call https://example.org/a/very/long/path/without/a/secret?query=1234567890123456789012345678901",
    "meet me @ the office at 10",
    "AttributeError: module tensorflow.python.framework has no attribute ConfigProto",
    "file 2f1c9f7e-2b1f-4b0e-9a57-0123456789ab is missing",
    "the token eyebrow and the key AKIANA",
)


@pytest.mark.parametrize("kind", SECRETS)
def test_a_secret_is_replaced_and_the_rest_stays(kind: str) -> None:
    assert redact(f"it fails with {SECRETS[kind]} since monday") == "it fails with <SECRET> since monday"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("write to jane.doe+x@mail.example.org, please", "write to <EMAIL>, please"),
        ("JANE@EXAMPLE.COM and bob@example.co.uk.", "<EMAIL> and <EMAIL>."),
        ("jürgen@müller.example", "<EMAIL>"),
        ("clone https://bob:hunter2@example.org/x.git", "clone https://<SECRET>@example.org/x.git"),
        ("numpy@1.26 and a@b", "numpy@1.26 and a@b"),
    ],
)
def test_addresses_and_passwords_in_urls_are_replaced(text: str, expected: str) -> None:
    assert redact(text) == expected


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_is_not_touched(text: str) -> None:
    assert redact(text) == text


def test_a_column_is_redacted_as_its_texts_are() -> None:
    texts = [*ORDINARY, *(f"see {secret}" for secret in SECRETS.values()), "mail a@example.org"]
    column = pa.chunked_array([texts[:5], texts[5:]])
    assert redact_texts(column).to_pylist() == [redact(text) for text in texts]


PIECES = st.one_of(
    st.sampled_from(
        [*SECRETS.values(), "a@example.org", "://bob:pw@", "<SECRET>", "<EMAIL>", "@", ":", ".", " "]
    ),
    st.text(max_size=8),
)


@given(st.lists(PIECES, max_size=8).map("".join))
def test_redaction_is_idempotent(text: str) -> None:
    once = redact(text)
    assert redact(once) == once


@given(st.lists(PIECES, max_size=6).map("".join))
def test_the_quick_look_misses_nothing_that_redaction_finds(text: str) -> None:
    assert redact_texts(pa.chunked_array([[text]], pa.string())).to_pylist() == [redact(text)]


def test_no_query_of_clinc150_or_banking77_is_changed(shared_data: Path) -> None:
    files = [*sorted(shared_data.glob("clinc150/plus/*.gz")), *sorted(shared_data.glob("banking77/*.gz"))]
    texts = pa.chunked_array([[row["text"] for row in read_json_lines(file)] for file in files])
    assert redact_texts(texts).to_pylist() == texts.to_pylist()


@pytest.mark.parametrize(
    "pattern", [*secret_patterns(), EMAIL_PATTERN], ids=lambda pattern: pattern.pattern[:30]
)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)
@given(data=st.data())
def test_the_quick_look_misses_nothing_that_a_pattern_can_find(
    pattern: re.Pattern[str], data: st.DataObject
) -> None:
    found = data.draw(st.from_regex(pattern))
    texts = [found, f"see {found} there"]
    assert redact_texts(pa.chunked_array([texts])).to_pylist() == [redact(text) for text in texts]
