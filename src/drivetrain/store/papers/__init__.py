"""Documents: their bytes as text with its layout. Each is read in a process of its own, which a hostile one may end."""
