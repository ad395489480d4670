"""`python -m pullback` is the command line."""

from pullback.cli.main import process

if __name__ == "__main__":
    raise SystemExit(process())
