"""The `adksess` command; also as `python -m adksess`."""

import gc
import sys


def main() -> None:
    """Run the command line and exit with its code."""
    if sys.argv[1:2] not in (["serve"], ["adk"]):
        # Nothing is there to collect while modules are imported and 100,000 sessions are read, and
        # looking for it takes a twentieth of a short command. The servers keep Python's setting.
        gc.set_threshold(100_000)
    try:
        from adksess.cli.app import main as run

        run()
    except KeyboardInterrupt:  # while importing; the command line has its own answer
        sys.exit(130)


if __name__ == "__main__":
    main()
