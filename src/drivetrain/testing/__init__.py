"""For plugin authors: contract tests; nothing in the product imports it."""
