"""The config that `linreg init` writes without a table."""

from linreg_cli.remedies import command
from linreg_cli.wording import one_line

_BLANK = """\
# For a table that you have, 'linreg init TABLE --target COLUMN' writes one that fits its columns.

data:
  source: synthetic        # rows are generated: y = 2 x1 - 3.4 x2 + 4.2 + noise
  n_samples: 1000
  weights: [2.0, -3.4]
  bias: 4.2
  noise_std: 0.1
  # A table in place of these four lines:
  # source: table
  # path: houses.csv         # also .tsv, .parquet, .jsonl, .csv.gz
  # target: price            # the column to predict
  # ignore: [id]             # columns that are not used
  split: {train: 0.8, test: 0.2}

preprocess:
  standardize: true        # for training; results are in original units
  standardize_target: true
  # categorical: one_hot     # an indicator for each level of a column of text
  # missing: median          # what is done with missing cells

optimizer:
  lr: auto
  momentum: auto

train:
  epochs: 1000
  batch_size: full
  dtype: float64
"""


def blank(file: str) -> str:
    """The config.

    Args:
        file: the name that it will have, for the command that trains it.
    """
    way = one_line(command("linreg", "train", "-c", file))
    return f"# A config of linreg. It runs as it is: {way}\n{_BLANK}"
