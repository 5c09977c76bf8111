"""Compiled code, its compiler and its loader. Only executors and what they are made of import it."""
