"""From cells to the inputs of the model: numbers, categories, dates, fills, transforms, scaling."""
