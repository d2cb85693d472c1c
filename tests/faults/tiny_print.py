"""The tiny chain, whose plan has letters that are not ASCII."""

import os

from infra.settings import get_settings
from infra.store.artifacts import Store
from tests.faults.tiny_flow import COMMAND
from tests.infra.artifacts import make_artifact

if __name__ == "__main__":
    make_artifact(Store(get_settings()), "spell", {"word.txt": os.linesep})
    raise SystemExit(COMMAND.main(["--dry-run", "--word", "zwölf – ½"]))
