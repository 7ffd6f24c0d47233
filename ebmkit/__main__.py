"""`python -m ebmkit` is the command `ebmkit`."""

from ebmkit.cli.main import entry

if __name__ == "__main__":
    entry()
