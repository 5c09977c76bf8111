"""Gradient descent: a plan of steps, the training state, executors that run the plan, and a loop that yields events."""
