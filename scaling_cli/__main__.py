"""`scaling`, also as `python -m scaling_cli`: the command, guarded while it loads too."""

from scaling_cli.cli.interruptions import leave


def main() -> None:
    """Run `scaling`."""
    try:
        from scaling_cli.cli.app import main as run

        run()
    except KeyboardInterrupt:
        leave()


if __name__ == "__main__":
    main()
