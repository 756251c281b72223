"""Objects of known systems for customers and tickets, by name: made once, or brought up to date."""
