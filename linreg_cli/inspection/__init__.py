"""What can be said before training, and a step worked by hand."""
