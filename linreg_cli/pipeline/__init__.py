"""The workflow: preparation, training, resuming, and everything of a run from start to end."""
