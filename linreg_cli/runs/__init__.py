"""Run folders: created exclusively, written atomically, found again."""
