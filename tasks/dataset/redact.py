"""Secrets and e-mail addresses are replaced by a word that says what was there.

Secrets are found by the detectors of detect-secrets that know a token by its own shape (a prefix, a length).
Its keyword and entropy detectors are left out: on ordinary queries they only find what is not there.
"""

import re
from functools import lru_cache

import pyarrow as pa
import pyarrow.compute as pc
from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
from detect_secrets.plugins.base import BasePlugin

SECRET, EMAIL = "<SECRET>", "<EMAIL>"
DETECTORS = frozenset(
    {
        "AWSKeyDetector", "AzureStorageKeyDetector", "DiscordBotTokenDetector", "GitHubTokenDetector",
        "GitLabTokenDetector", "JwtTokenDetector", "MailchimpDetector", "NpmDetector", "OpenAIDetector",
        "PypiTokenDetector", "SendGridDetector", "SlackDetector", "SquareOAuthDetector", "StripeDetector",
        "TelegramBotTokenDetector", "TwilioKeyDetector",
    }
)  # fmt: skip
# What detect-secrets 1.5 does not find: newer tokens, a private key beyond its header, the user in a URL.
OWN_PATTERNS = (
    re.compile(r"github_pat_\w{22,}|hf_[A-Za-z0-9]{30,}|AIza[\w-]{35}|sk-(?:proj|ant|svcacct)-[\w-]{20,}"),
    re.compile(
        r"-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END [A-Z ]*PRIVATE KEY(?: BLOCK)?-----|$)",
        re.S,
    ),
    re.compile(r"(?<=://)[^\s:/@?#]+:[^\s/@?#]+(?=@)"),
)
EMAIL_PATTERN = re.compile(r"(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)*\.[^\W\d_]{2,}")
# Whatever is found has an @, a key's header or 20 characters without a blank: other rows are not looked at.
SUSPECT = r"@|PRIVATE KEY|\S{20,}"


def redact_texts(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Texts with secrets and addresses replaced; only rows that could hold one are looked at one by one."""
    suspects = pc.fill_null(pc.match_substring_regex(texts, SUSPECT), False)
    clean = pa.array([redact(text) for text in texts.filter(suspects).to_pylist()], pa.string())
    return pc.replace_with_mask(texts.combine_chunks(), suspects.combine_chunks(), clean)


def redact(text: str) -> str:
    """One text redacted; redacting it again changes nothing.

    Cutting a secret out may join what is left and right of it into another find, so passes are repeated. Each
    that changes the text leaves fewer characters outside of placeholders, so there is a last one.
    """
    while (clean := _one_pass(text)) != text:
        text = clean
    return text


def _one_pass(text: str) -> str:
    for pattern in OWN_PATTERNS:
        text = pattern.sub(SECRET, text)
    for detector in _detectors():
        for found in sorted(set(detector.analyze_string(text)), key=len, reverse=True):
            text = text.replace(found, SECRET)
    return EMAIL_PATTERN.sub(EMAIL, text)


@lru_cache(maxsize=1)
def _detectors() -> tuple[BasePlugin, ...]:
    known: dict[str, type] = {
        kind.__name__: kind for kind in get_mapping_from_secret_type_to_class().values()
    }
    return tuple(known[name]() for name in sorted(DETECTORS))
