"""The process that reads documents: what it is asked, and what it answers."""
