"""A table with a column of text that determines another: each model is of one maker, as in R's mpg."""

import numpy as np

#: The models of each maker, one letter each. A maker of one model has a level that is that of its model.
MODELS = {"audi": "abc", "honda": "d", "jeep": "e", "kia": "fg", "vw": "hi"}
CARS = [(maker, f"m{model}") for maker, models in MODELS.items() for model in models]


def cars(stream: np.random.Generator, n: int) -> dict[str, np.ndarray]:
    """The columns `maker` and `model` of n cars, drawn with replacement."""
    rows = stream.integers(0, len(CARS), n)
    maker, model = (np.array([car[part] for car in CARS])[rows] for part in (0, 1))
    return {"maker": maker, "model": model}
