"""Evaluation of a model: metrics, predictions, cross-validation, gap to the optimum, comparison with a known truth."""
