"""The whole story: what exists before the first step, the steps, a run to its end, a run taken up again."""
