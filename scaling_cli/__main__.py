"""`python -m scaling_cli` is `scaling`."""

from scaling_cli.cli.app import main

main()
