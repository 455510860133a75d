"""The `adksess` command; also as `python -m adksess`."""

import gc
import sys


def main() -> None:
    """Run the command line and exit with its code."""
    if sys.argv[1:2] not in (["serve"], ["adk"]):
        # Importing modules and reading 100,000 sessions leaves no garbage, and looking for it takes
        # 5 % of a short command. The servers keep Python's setting.
        gc.set_threshold(100_000)
    try:
        from adksess.cli.app import main as run

        run()
    except KeyboardInterrupt:  # during the imports; later ones are handled by the command line
        sys.exit(130)  # ExitCode.INTERRUPTED, without another import


if __name__ == "__main__":
    main()
