"""Entry point of `hrnet` and `python -m hrnet`."""

import sys


def main() -> None:
    """Run the command line; Ctrl-C during its import exits with code 130, without a traceback."""
    try:
        from hrnet.cli import main as run
    except KeyboardInterrupt:
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
