"""`python -m twinrow` is the command `twinrow`."""

from twinrow.app.cli import main

if __name__ == "__main__":
    main()
