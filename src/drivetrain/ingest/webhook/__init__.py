"""The kind ``webhook``: what other systems send to us over HTTP."""
