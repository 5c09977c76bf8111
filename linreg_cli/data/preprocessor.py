"""What turns raw rows into the input of the model: encoding and scaling, as `preprocess.json` keeps them."""

import functools
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from linreg_cli.config.schema import PreprocessConfig
from linreg_cli.data.columns.divided import DividedRows
from linreg_cli.data.dataset import Column, Dataset, Rows
from linreg_cli.data.encoding.encode import Encoder
from linreg_cli.data.encoding.transform import NAMES, forward
from linreg_cli.data.scaling import Scaling
from linreg_cli.data.train_rows import train_rows

FORMAT = 2
#: With smearing factors, which earlier versions would leave out.
FORMAT_WITH_SMEARING = 3
#: With features that are made of columns, which earlier versions would refuse; with or without smearing factors.
FORMAT_WITH_DERIVED = 4


@dataclass(frozen=True)
class Preprocessor:
    """Encoding and scaling of a run.

    Attributes:
        features: scaling of the inputs.
        targets: transform and scaling of the targets.
        encoder: encoding of the columns of a table; None for numbers that are not encoded.
        smearing: the smearing factor of each target, shape (n_targets,), once the model is trained; None where
            predictions estimate the median.
        weights: the column of the weights, and what they are multiplied by; None without `data.weight`.
    """

    features: Scaling
    targets: Scaling
    encoder: Encoder | None = None
    smearing: Column | None = None
    weights: tuple[str, float] | None = None

    @property
    def inputs(self) -> Encoder:
        """The encoding of the columns of a table."""
        return self.encoder or Encoder.of_numbers(self.features.columns)

    @classmethod
    def fit(cls, dataset: Dataset, config: PreprocessConfig, *, bias: bool) -> "Preprocessor":
        """Fit the scaling on the train split.

        Args:
            dataset: holds the train split.
            config: what is scaled.
            bias: whether the model has one. Without it nothing is centred, so that the model in original units has
                no intercept either.

        Raises:
            DataError: as `Scaling.standard`.
        """
        transform = config.target_transform
        features, targets = Scaling.identity(dataset.features), Scaling.identity(dataset.targets)
        targets = replace(targets, transform=transform)
        if config.standardize:
            features = Scaling.standard(dataset.features, dataset, ddof=config.ddof, centered=bias, constant_scale=None)
        if config.standardize_target:
            targets = Scaling.standard(
                dataset.targets, dataset, ddof=config.ddof, centered=bias, constant_scale=1.0, transform=transform
            )
        weights = dataset.weights
        return cls(
            features, targets, dataset.encoder, weights=None if weights is None else (weights.column, weights.scale)
        )

    def given(self, dataset: Dataset, rows: Rows | slice) -> tuple[Column, Column]:
        """X and y of some rows in scaled units and float64, shapes (n_rows, n_features) and (n_rows, n_targets)."""
        import torch

        X_nd, y_nk = (each.tensor(dataset, rows, torch.float64).numpy() for each in (self.features, self.targets))
        return X_nd, y_nk

    def given_rows(self, dataset: Dataset) -> DividedRows:
        """X and y of the train split as `given`, computed when they are read, and in the order of the table."""
        return train_rows(dataset, self.features.stack, self.targets.stack)

    def original_rows(self, dataset: Dataset) -> DividedRows:
        """The same in original units, with the target's transform applied."""
        functions = [functools.partial(forward, self.targets.transform)] * len(dataset.targets)
        return train_rows(dataset, (dataset.features, None), (dataset.targets, functions))

    @property
    def _format(self) -> int:
        if not all(term.is_plain for term in self.inputs.terms):
            return FORMAT_WITH_DERIVED
        return FORMAT if self.smearing is None else FORMAT_WITH_SMEARING

    def as_json(self) -> dict[str, Any]:
        """The content of `preprocess.json`."""
        return {
            "format": self._format,
            "inputs": self.inputs.as_json(),
            "features": self.features.as_json(),
            "targets": self.targets.as_json(),
            "target_transform": self.targets.transform,
            **({} if self.smearing is None else {"target_estimate": "mean", "smearing": self.smearing.tolist()}),
            **({} if self.weights is None else {"weight": {"column": self.weights[0], "scale": self.weights[1]}}),
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Preprocessor":
        """The inverse of `as_json`. Format 1 has numbers only.

        Raises:
            ValueError, KeyError, TypeError: if the values are not what `as_json` writes.
        """
        version = values["format"]
        if version not in (1, FORMAT, FORMAT_WITH_SMEARING, FORMAT_WITH_DERIVED):
            raise ValueError(f"format {version} is not format 1 to {FORMAT_WITH_DERIVED}, which this version reads")
        features, targets = Scaling.from_json(values["features"]), Scaling.from_json(values["targets"])
        if version == 1:
            return cls(features, targets)
        encoder, transform = Encoder.from_json(values["inputs"]), values["target_transform"]
        if encoder.features != features.columns or transform not in NAMES:
            raise ValueError("inputs, features and target_transform do not fit together")
        smearing = None
        if version == FORMAT_WITH_SMEARING or (version == FORMAT_WITH_DERIVED and "smearing" in values):
            smearing = np.array([float(factor) for factor in values["smearing"]])
            known = len(smearing) == len(targets.columns) and transform != "none"
            if not (known and (np.isfinite(smearing) & (smearing > 0)).all()):
                raise ValueError("smearing must have a positive factor for each target, of a transformed target")
        weights, found = values.get("weight"), None
        if weights is not None:
            found = str(weights["column"]), float(weights["scale"])
            if not (np.isfinite(found[1]) and found[1] > 0):
                raise ValueError("the scale of the weights must be a number above 0")
        return cls(features, replace(targets, transform=transform), encoder, smearing, found)
