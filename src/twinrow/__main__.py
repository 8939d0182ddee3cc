"""The command `twinrow`, also as `python -m twinrow`."""

from twinrow.garbage import collect_seldom


def main() -> None:
    """Run the command line."""
    collect_seldom()
    from twinrow.app.cli import main as command_line

    command_line()


if __name__ == "__main__":
    main()
