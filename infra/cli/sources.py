"""Where the settings of a command come from, as a person is told: on stderr, for stdout may be read by a program."""

from collections.abc import Collection
from pathlib import Path

from infra import env_file
from infra.cli import messages, mistyped
from infra.hub.named_by import held_back
from infra.settings import get_settings

PREFECT = "PREFECT_"


def tell(fields: Collection[str] = ()) -> None:
    """Name the `.env` that was read, what gives settings and was not read, and the token that is held back.

    And every name that is no setting and no field: `fields` are those of the flow that is run.
    """
    settings = get_settings()
    if "home" not in settings.model_fields_set and settings.home.parent != Path.cwd():
        messages.say_aside(f"home: {settings.home}, found above this folder")
    if settings.env_file is not None:
        messages.say_aside(f"settings: the environment, and {settings.env_file}")
    for file in env_file.passed_over(Path.cwd()):
        messages.warn(not_read(file))
    for name in env_file.values(settings.env_file):
        if name.upper().startswith(PREFECT):
            messages.warn(
                f"{name} in {settings.env_file} is not read. Set it in the environment or in a profile of Prefect."
            )
    if said := held_back(settings):
        messages.warn(said)
    for warning in mistyped.warnings(fields):
        messages.warn(warning)


def not_read(file: Path) -> str:
    """What a file of the working folder would have to be to count."""
    if file.name == ".env":
        return (
            f"not read: {file}, because what lies in a folder does not choose where tokens go. If it is yours, set "
            f"{env_file.VARIABLE}={file}"
        )
    return f"not read: {file}. Set what it gives to Prefect in the environment, or in a profile of Prefect."
