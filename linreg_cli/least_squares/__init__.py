"""Exact solutions of squared losses, and of mae and huber, with which training is compared; never a way to train."""
