"""What a run shows in Prefect's UI: its table, its verdict and a link to its page, which has the pictures."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

logger = logging.getLogger(__name__)


def show_in_prefect(
    flow: str, rows: Sequence[Mapping[str, object]], link: str, page: Path, reasons: Sequence[str]
) -> None:
    """Make the artifacts of a run; a server that refuses is said and stops nothing. `reasons` are Markdown.

    `link` is where the run's `page` is served.
    """
    from prefect.artifacts import create_link_artifact, create_markdown_artifact, create_table_artifact

    key = flow.replace("_", "-")
    said = "\n".join(f"- {reason}" for reason in reasons)
    try:
        create_table_artifact(
            table=[_rounded(row) for row in rows], key=f"{key}-table", description="Models side by side"
        )
        create_markdown_artifact(f"## Verdict\n\n{said}\n", key=f"{key}-verdict")
        create_link_artifact(link, link_text="The report of this run", key=f"{key}-report")
    except Exception as error:  # Any fault of Prefect's server: the run has its results without it.
        logger.warning(
            "Prefect's server did not take the table and the verdict (%s); they are in %s.", error, page
        )


def _rounded(row: Mapping[str, object]) -> dict[str, object]:
    return {name: round(value, 4) if isinstance(value, float) else value for name, value in row.items()}
