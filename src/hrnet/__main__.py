"""Let `python -m hrnet` do what `hrnet` does."""

from hrnet.cli import main

if __name__ == "__main__":
    main()
