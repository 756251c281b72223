"""Documents: their bytes as text with its layout. ``connect.papers`` reads them in a process that one may end."""
