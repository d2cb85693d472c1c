"""Variables named STILLHOUSE_* that nothing reads: a slip of the pen would otherwise be ignored in silence."""

import difflib
import os
from collections.abc import Collection, Iterator

from infra import env_file
from infra.engine.registry import flow_commands
from infra.settings import Settings

PREFIX, SEPARATOR = "STILLHOUSE_", "__"
# What the tests against real clouds read, and which file is read.
OTHERS = ("STILLHOUSE_LIVE_", env_file.VARIABLE)


def warnings(own: Collection[str] = ()) -> Iterator[str]:
    """A sentence for each variable, in the environment or the `.env` that is read, that is no setting and no field of a flow.

    `own` are the fields of the flow that is run; those of the others are looked up only when something is odd.
    """
    settings = {PREFIX + name.upper() for name in Settings.model_fields}
    file = env_file.chosen()
    for place, names in (("", os.environ), (f" in {file}", env_file.values(file))):
        for name in sorted({name.upper() for name in names if name.upper().startswith(PREFIX)} - settings):
            field, separator, rest = name.removeprefix(PREFIX).partition(SEPARATOR)
            if name.startswith(OTHERS):
                continue
            if field.lower() in own or field.lower() in (fields := {*own, *_fields_of_all_flows()}):
                if place:
                    option = ".".join([field, *rest.split(SEPARATOR)] if rest else [field]).lower()
                    yield (
                        f"{name} is a flow's field, and {file} holds settings alone: it is ignored there. "
                        f"Set it in the environment, or give --{option.replace('_', '-')}."
                    )
                continue
            known = {*settings, *(PREFIX + one.upper() for one in fields)}
            close = difflib.get_close_matches(PREFIX + field, sorted(known), n=1, cutoff=0.8)
            hint = f"did you mean {close[0]}{separator}{rest}?" if close else ".env.example lists them all."
            yield f"{name}{place} is not a setting: {hint}"


def _fields_of_all_flows() -> set[str]:
    return {name for command in flow_commands().values() for name in command.config.model_fields}
