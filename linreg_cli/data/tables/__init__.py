"""Table files: formats, reading block by block, writing, downloading."""
