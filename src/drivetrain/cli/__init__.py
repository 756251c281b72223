"""The command line: lazy commands, one exit-code table."""
