"""The program: `biglearn` and ``python -m biglearn``."""

import sys


def run() -> int:
    """Run the command line of this process; an interrupt while it still loads is no traceback.

    Returns
    -------
    int
        The exit code of `biglearn.cli.app.main`.
    """
    try:
        from biglearn.cli.app import main

        return main()
    except KeyboardInterrupt:
        print("biglearn: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(run())
