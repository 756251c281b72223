"""Ways to learn what is usual, one file each."""
