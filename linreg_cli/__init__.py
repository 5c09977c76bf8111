"""linreg: linear regression by gradient descent, from a YAML file to a run you can look at."""

__version__ = "0.1.0"
