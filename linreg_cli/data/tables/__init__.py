"""Files: opened by their format, read block by block, written, downloaded."""
