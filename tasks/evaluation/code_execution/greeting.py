"""The first thing that runs in a sandbox: which Python it is. (Runs inside the sandbox.)"""

import sys


def main() -> None:
    """Print the version."""
    sys.stdout.write(sys.version.split()[0])


if __name__ == "__main__":
    main()
