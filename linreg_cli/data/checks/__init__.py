"""What is suspicious about a table: constant and dependent columns, identifiers, leaks."""
