"""A config for a table: what is decided about its columns, and why."""
