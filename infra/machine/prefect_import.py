"""Prefect, imported without what lies in the working folder.

Its settings are read from `.env`, `prefect.toml` and `pyproject.toml` of that folder too, at the import and again for every
copy of them: an API's address, to which the user's own key is then sent, or a logging config, which names code to run.
Ours come from the environment and from the user's profiles alone.
"""

import sys
from contextlib import chdir
from pathlib import Path
from typing import Any

from pydantic_settings import PydanticBaseSettingsSource

NO_SETTINGS = Path(__file__).parent  # a folder without any of the three files


def import_prefect() -> None:
    """Import Prefect so; after `prepare`, and before anything else imports it. A second call does nothing.

    Where Prefect itself started this process (a worker's flow), its settings have been read: no copy reads them anew.
    """
    if "prefect.context" not in sys.modules:
        with chdir(NO_SETTINGS):
            import prefect.context  # noqa: F401
    from prefect.settings.base import PrefectBaseSettings
    from prefect.settings.sources import FilteredDotEnvSettingsSource, TomlConfigSettingsSourceBase

    # The way that pydantic-settings documents to choose a class's sources. Prefect has no setting for it.
    prefect_settings: Any = PrefectBaseSettings
    sources_of = prefect_settings.settings_customise_sources
    if sources_of.__module__ == __name__:
        return

    def without_folder(
        cls: type[PrefectBaseSettings], /, *given: Any, **named: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        # Emptied, not left out: pydantic-settings warns of a source that a model's config speaks of and is not there.
        sources: tuple[PydanticBaseSettingsSource, ...] = sources_of.__func__(cls, *given, **named)
        for source in sources:
            if isinstance(source, FilteredDotEnvSettingsSource):
                source.env_vars = {}
            elif isinstance(source, TomlConfigSettingsSourceBase):
                source.toml_data = {}
        return sources

    prefect_settings.settings_customise_sources = classmethod(without_folder)
