"""``dmsa`` and ``python -m orchestrator``."""


def main() -> None:
    """Run the command line; imported late, so that ``import orchestrator`` costs nothing."""
    from orchestrator.cli import main as run

    run()


if __name__ == "__main__":
    main()
