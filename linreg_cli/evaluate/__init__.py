"""What a trained model is worth: metrics, predictions, gates, pictures."""
