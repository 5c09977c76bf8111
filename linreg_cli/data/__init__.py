"""Rows from generators, the config or tables: split, encoded and scaled into tensors."""

from linreg_cli.data.dataset import SPLITS, Dataset
from linreg_cli.data.load import load_dataset
from linreg_cli.data.preprocessor import Preprocessor

__all__ = ["SPLITS", "Dataset", "Preprocessor", "load_dataset"]
