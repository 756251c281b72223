"""From scores of open rows to a forecast that adds up, and to orders."""
