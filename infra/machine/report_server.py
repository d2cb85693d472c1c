"""The pages of a home's runs, served on 127.0.0.1: what a link in Prefect's UI opens, since a page of http opens no file.

    python -m infra.machine.report_server PORT

A page is asked for with the home's key in its address (`/KEY/reports/...`): who has the link reads the reports, nobody else.
Nothing but pages, their data and their pictures is served, whatever else lies in the home.
"""

import sys
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from infra.machine.processes import LOOPBACK
from infra.machine.report_address import report_key
from infra.settings import Settings, get_settings

PICTURES = frozenset({".png", ".svg"})
PAGES = PICTURES | {".html", ".json", ".jsonl"}
# The key stands in the address: no other site is told it, and no cache keeps what it opens.
HEADERS = {"Referrer-Policy": "no-referrer", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


class _Files(StaticFiles):
    """Files of some kinds below a folder."""

    def __init__(self, folder: Path, kinds: frozenset[str]) -> None:
        super().__init__(directory=folder, html=True, check_dir=False)
        self.kinds = kinds

    async def get_response(self, path: str, scope: Scope) -> Response:
        if Path(path).suffix not in self.kinds and path != ".":
            raise HTTPException(404)
        found = await super().get_response(path, scope)
        found.headers.update(HEADERS)
        return found


def make_app(settings: Settings) -> Starlette:
    """The server of a home."""
    key = report_key(settings)
    return Starlette(
        routes=[
            Route("/health", lambda request: PlainTextResponse("OK")),
            Mount(f"/{key}/reports", _Files(settings.reports, PAGES)),
            Mount(f"/{key}/artifacts", _Files(settings.artifacts, PICTURES)),
        ],
        # A page of another site that made its own name mean 127.0.0.1 is not let in.
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=[LOOPBACK, "localhost"])],
        exception_handlers={404: _not_found},
    )


def _not_found(request: Request, error: Exception) -> PlainTextResponse:
    return PlainTextResponse(
        "Not found. The links to the reports of this home stand in Prefect's and MLflow's pages of its runs; "
        "`stillhouse status` shows that of the index on a terminal.\n",
        status_code=404,
        headers=HEADERS,
    )


if __name__ == "__main__":
    uvicorn.run(make_app(get_settings()), host=LOOPBACK, port=int(sys.argv[1]), log_level="warning")
