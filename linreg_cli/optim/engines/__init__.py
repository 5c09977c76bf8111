"""Executors, which run a plan: the reference, the compiled ones, their cost, and the selection."""
