"""The command `twinrow`, also as `python -m twinrow`."""

from twinrow.app.signals import keep_early
from twinrow.garbage import collect_seldom


def main() -> None:
    """Run the command line."""
    keep_early()
    collect_seldom()
    from twinrow.app.cli import main as command_line

    command_line()


if __name__ == "__main__":
    main()
