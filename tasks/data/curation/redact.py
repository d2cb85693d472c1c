"""Secrets and e-mail addresses are replaced by a word that says what was there.

Secrets are found by the patterns of those detectors of detect-secrets that know a token by its own shape (a
prefix, a length). Its keyword and entropy detectors are left out: on ordinary queries they only find what is
not there. The patterns are used as such: `analyze_string` gives a token's first group, `ghp` of `ghp_...`.
"""

import re
from functools import lru_cache

import pyarrow as pa
import pyarrow.compute as pc
from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
from detect_secrets.plugins.base import RegexBasedDetector

from tasks.data.curation.text import apply_where

SECRET, EMAIL = "<SECRET>", "<EMAIL>"
DETECTORS = frozenset(
    {
        "AWSKeyDetector", "AzureStorageKeyDetector", "DiscordBotTokenDetector", "GitHubTokenDetector",
        "GitLabTokenDetector", "MailchimpDetector", "OpenAIDetector", "PypiTokenDetector", "SendGridDetector",
        "SlackDetector", "SquareOAuthDetector", "StripeDetector", "TelegramBotTokenDetector", "TwilioKeyDetector",
    }
)  # fmt: skip
# What detect-secrets 1.5 knows not or in part: newer tokens, the signature of a web token, a private key beyond
# its header, who logs in by a URL.
OWN_PATTERNS = (
    re.compile(r"github_pat_\w{22,}|hf_[A-Za-z0-9]{30,}|npm_[A-Za-z0-9]{36}|AIza[\w-]{35}"),
    re.compile(r"sk-(?:proj|ant|svcacct)-[\w-]{20,}|eyJ[\w-]{14,}\.[\w-]{2,}(?:\.[\w-]*)?"),
    re.compile(
        r"-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END [A-Z ]*PRIVATE KEY(?: BLOCK)?-----|$)",
        re.S,
    ),
    re.compile(r"(?<=://)[^\s:/@?#]+:[^\s/@?#]+(?=@)"),
)
EMAIL_PATTERN = re.compile(r"(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)*\.[^\W\d_]{2,}")
# What each of our own finds has in it, the last and e-mail addresses first; for Arrow's RE2.
OWN_SUSPECTS = (r"\S@", "github_pat_", r"hf_[A-Za-z0-9]{8}", "npm_[A-Za-z0-9]{8}", "AIza", "sk-(?:proj|ant|svcacct)-", "eyJ",
                "PRIVATE KEY")  # fmt: skip
LONGEST_REPEAT = 8


def redact_texts(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Texts with secrets and addresses replaced; only rows that could hold one are looked at one by one."""
    return apply_where(texts, pc.match_substring_regex(texts, _suspect()), redact)


def redact(text: str) -> str:
    """One text redacted; redacting it again changes nothing.

    Cutting a secret out may join what is left and right of it into another find, so passes are repeated. Each
    that changes the text leaves fewer characters outside of placeholders, so there is a last one.
    """
    while (clean := _one_pass(text)) != text:
        text = clean
    return text


def _one_pass(text: str) -> str:
    for pattern in secret_patterns():
        text = pattern.sub(SECRET, text)
    return EMAIL_PATTERN.sub(EMAIL, text)


@lru_cache(maxsize=1)
def secret_patterns() -> tuple[re.Pattern[str], ...]:
    """What secrets look like, in the order in which they are replaced."""
    return (*OWN_PATTERNS, *_detectors())


@lru_cache(maxsize=1)
def _suspect() -> str:
    """One pattern for RE2, which reads a thousand times faster, of which every text that holds anything has a match."""
    return "|".join((*OWN_SUSPECTS, *map(_loosened, _detectors())))


def _loosened(pattern: re.Pattern[str]) -> str:
    """What a detector's pattern finds has a match of this: it looks at nothing around, and counts to eight at most."""
    text = re.sub(r"\(\?[=!][^()]*\)", "", pattern.pattern)
    text = re.sub(r"\{(\d+)(?:,\d*)?\}", _count, text).replace(r"\d", r"\pN")
    return f"(?i:{text})" if pattern.flags & re.IGNORECASE else f"(?:{text})"


def _count(repeat: re.Match[str]) -> str:
    least = int(repeat[1])
    return f"{{{min(least, LONGEST_REPEAT)},}}" if least else repeat[0]


def _detectors() -> tuple[re.Pattern[str], ...]:
    kinds: list[type[RegexBasedDetector]] = list(get_mapping_from_secret_type_to_class().values())
    known = {kind.__name__: kind for kind in kinds}
    return tuple(pattern for name in sorted(DETECTORS) for pattern in known[name]().denylist)
