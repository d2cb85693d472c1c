"""`python -m infra.cli`."""

import sys

# What else lies in the working folder, such as a tasks.py, is not ours to import: nothing but `sys` came before.
if __name__ == "__main__" and not sys.flags.safe_path:
    sys.path[0] = __file__.removesuffix("/infra/cli/__main__.py")

from infra.cli.app import main

if __name__ == "__main__":
    raise SystemExit(main())
