"""Records that say who wrote them: an HMAC with the key that a team shares (STILLHOUSE_STORE_SIGNING_KEY).

Digests show that bytes are those of a record, not whose record it is: who may write to a store decides what is taken from it.
With the key set, that is who has the key. The signature is the last field of the object in the store and of nothing else:
not of the record in a home, of no key and no digest. A version that knows no signatures reads past it.
"""

import hashlib
import hmac
import json
import re
from dataclasses import dataclass

from pydantic import SecretStr, TypeAdapter

from infra.store.record import Record

FIELD = "signature"
BLANK = "0" * 64  # stands for the signature in what is signed
_HEX = re.compile(r"[0-9a-f]{64}")
_FIELDS = TypeAdapter(dict[str, object])


@dataclass(frozen=True)
class Signing:
    """How records of a store are written and told apart. Without a key all of them are taken, as they are found."""

    key: SecretStr | None

    def write(self, record: Record) -> bytes:
        """The object of a record, signed where there is a key."""
        if self.key is None:
            return record.model_dump_json(indent=2).encode() + b"\n"
        fields = record.model_dump(mode="json") | {FIELD: BLANK}
        blank = json.dumps(fields, indent=2, ensure_ascii=False).encode() + b"\n"
        return _with(blank, BLANK, _signature(self.key, blank))

    def is_signed(self, data: bytes) -> bool:
        """Whether the object of a record has a signature, right or wrong. Raises ValidationError where it is no JSON."""
        found = _FIELDS.validate_json(data).get(FIELD)
        return isinstance(found, str) and _HEX.fullmatch(found) is not None

    def is_right(self, data: bytes) -> bool:
        """Whether an object may be taken: every byte of it is as somebody wrote it who has the key, if there is one."""
        if self.key is None:
            return True
        if not self.is_signed(data):
            return False
        found = str(_FIELDS.validate_json(data)[FIELD])
        return hmac.compare_digest(_signature(self.key, _with(data, found, BLANK)), found)


def _signature(key: SecretStr, blank: bytes) -> str:
    return hmac.new(key.get_secret_value().encode(), blank, hashlib.sha256).hexdigest()


def _with(text: bytes, signature: str, other: str) -> bytes:
    """The object with another signature in the place of its own, which is the last thing in it."""
    before, _, after = text.rpartition(signature.encode())
    return before + other.encode() + after
