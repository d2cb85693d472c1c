"""`python -m infra.cli`."""

import sys
from pathlib import Path

if __name__ == "__main__":  # What else lies in the working folder, such as a tasks.py, is not ours to import.
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from infra.cli.app import main

if __name__ == "__main__":
    raise SystemExit(main())
