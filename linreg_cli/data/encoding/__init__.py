"""Encoding: cells to numbers and categories, and those to the inputs of the model."""
