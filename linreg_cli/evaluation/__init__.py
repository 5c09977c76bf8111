"""What a trained model is worth: metrics, predictions, cross-validation, the truth where it is known."""
