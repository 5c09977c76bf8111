"""The model of a run in forms that other programs apply."""
