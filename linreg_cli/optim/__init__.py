"""Gradient descent: a plan of steps, a state, executors that run the plan, and the loop that yields events."""
