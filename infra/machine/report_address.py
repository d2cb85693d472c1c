"""Where the pages of a home's runs are served (`report_server.py`)."""

import hashlib
import hmac

from infra.machine.login import make_login
from infra.machine.processes import LOOPBACK
from infra.settings import Settings


def report_key(settings: Settings) -> str:
    """What stands in the address of each page: who has it reads the reports of this home. Made of the home's login."""
    return hmac.new(make_login(settings).encode(), b"reports", hashlib.sha256).hexdigest()[:32]


def report_address(settings: Settings, path: str = "") -> str:
    """The address of a file of `reports/`, by default of its index, while `stillhouse up` runs."""
    return f"http://{LOOPBACK}:{settings.reports_port}/{report_key(settings)}/reports/{path}"
