"""Columns: numbers or categories, in memory or on the disk, and read as rows."""
