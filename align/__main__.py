"""`python -m align` is the command `align`."""

from align.command.running import console, main

__all__ = ["console", "main"]

if __name__ == "__main__":
    console()
