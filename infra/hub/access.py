"""Whether a token may publish for an owner. Asked once: a Hub that does not answer now is said to be so."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi
from huggingface_hub.utils import get_token

from infra.errors import HubError
from infra.hub.faults import FAULTS, TOKENS, hub_error
from infra.hub.named_by import no_token_for
from infra.hub.protocol import Access

WRITING = ("write", "admin")  # roles of a token
MEMBERS = ("write", "admin", "contributor")  # roles in an organisation that may make repositories
PERMISSION = "repo.write"  # of a fine-grained token


def ask_access(api: HfApi, owner: str, token: str | None, named_in: Path | None = None) -> Access:
    """What the Hub says of the token; a Hub that a file names (`named_in`) gets to see no other than `token`.

    Raises HubError when none is set, it is unknown, or the Hub does not answer.
    """
    if token is None and named_in is not None:
        raise HubError(no_token_for(api.endpoint, named_in))
    if token is None and get_token() is None:
        raise HubError(
            f"no token is set for {api.endpoint}: expected one that may write for {owner}. Make one at {TOKENS} and set "
            "STILLHOUSE_HUB_TOKEN (or HF_TOKEN, or run `hf auth login`)."
        )
    try:
        identity = api.whoami()
    except FAULTS as error:
        raise hub_error(api.endpoint, "asked whose token this is", error, token) from None
    place, obstacle = f"{api.endpoint}/{owner}", obstacle_of(identity, owner)
    if not obstacle:
        return Access(f"{place}, as {identity['name']}")
    remedy = (
        f"Publishing to {place} would be refused. Make a token that may write there at {TOKENS} and set "
        "STILLHOUSE_HUB_TOKEN, or name another owner in STILLHOUSE_HUB."
    )
    return Access(place, obstacle, remedy)


def obstacle_of(identity: Mapping[str, Any], owner: str) -> str:
    """Why the token that `whoami` describes may not write repositories of `owner`; empty when it may."""
    user, token = identity["name"], identity.get("auth", {}).get("accessToken", {})
    roles = {org["name"]: org.get("roleInOrg") for org in identity.get("orgs", ())}
    if owner != user and owner not in roles:
        return f"{user} is not {owner} and no member of it"
    if owner != user and roles[owner] not in MEMBERS:
        return f"{user} has the role {roles[owner]!r} in {owner}, expected one of {', '.join(MEMBERS)}"
    if token.get("role") != "fineGrained":
        return "" if token.get("role") in WRITING else f"the token has the role {token.get('role')!r}"
    scopes = token.get("fineGrained", {}).get("scoped", ())
    granted = [scope["permissions"] for scope in scopes if scope["entity"].get("name") == owner]
    if any(PERMISSION in permissions for permissions in granted):
        return ""
    return f"the fine-grained token lacks {PERMISSION} for {owner}"
