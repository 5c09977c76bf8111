"""A sweep: its grid, its metric and its folder."""
