"""``python -m finder``, and the ``finder`` command."""


def main() -> None:
    """Run the command line; exits with an `ExitCode`."""
    from finder.cli import run

    run()


if __name__ == "__main__":
    main()
