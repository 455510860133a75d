"""`python -m adksess` is the `adksess` command."""

from adksess.cli.app import main

if __name__ == "__main__":
    main()
