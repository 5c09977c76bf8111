"""A finished run in the trackers that people have: TensorBoard and MLflow, each in a process of its own."""
