"""Checks of a table: constant, equal and collinear columns, identifiers, target leakage."""
