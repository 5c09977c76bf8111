"""The rows of a long `predictions.csv` that pictures are drawn from: those that a sample of the run would have kept.

They are chosen in one pass over the file, block by block, as `evaluate.predictions: sample` chooses them.
"""

from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.csv as pcsv

from linreg_cli.data.columns.arrow import indices, release_unused, repeated, to_arrow, to_numpy
from linreg_cli.data.columns.kinds import Column
from linreg_cli.evaluation.row_sample import MOST_ROWS, split_samples
from linreg_cli.files import own_file
from linreg_cli.runs.contents import RunContents

#: Bytes up to which pictures are drawn from all rows: about 400,000.
MOST_BYTES = 16 * 2**20

_FILE = "predictions.csv"


def is_long(run: RunContents) -> bool:
    """Whether a run has so many predictions that pictures are drawn from some of them."""
    path = run.path / _FILE
    # The size is asked for first: a file of usual size is drawn without reading config.yaml.
    if not path.is_file() or path.stat().st_size <= MOST_BYTES or run.config.evaluate.predictions != "all":
        return False
    n_rows: int = sum(run.record()["data"]["rows"].values())
    return n_rows > MOST_ROWS


def some_predictions(run: RunContents) -> pa.Table:
    """About 10,000 lines of `predictions.csv`, with the extremes of each split; all columns but `split` are float64.

    Args:
        run: with the numbers of rows of its splits in its record.

    Raises:
        StoreError: if the file is damaged, or does not have these rows.
    """
    sizes: Mapping[str, int] = run.record()["data"]["rows"]
    try:
        path = own_file(run.path / _FILE)
        names = _reader(str(path), []).schema.names
        targets = [name for name in names if name.split(":")[0] == "target"]
        predictions = [name.replace("target", "prediction", 1) for name in targets]
        rest = [name for name in names if name not in {"split", "row", *targets, *predictions}]
        values, k = [*targets, *predictions, *rest], len(targets)

        def measures(rows: Column) -> Column:
            with np.errstate(all="ignore"):
                return np.hstack([rows[:, 1:], rows[:, 1 : k + 1] - rows[:, k + 1 : 2 * k + 1]])

        samples = split_samples(sizes, len(values) + k, run.config.seed, measures)
        seen = dict.fromkeys(samples, 0)
        for split, rows in _blocks(str(path), names, ["row", *values]):
            samples[split].add(seen[split], rows)
            seen[split] += len(rows)
    except (pa.ArrowException, UnicodeDecodeError, OSError) as error:
        raise run.damaged(_FILE, str(error).splitlines()[0]) from None
    except (KeyError, IndexError):
        raise run.damaged(_FILE, "its columns or splits are not those of the run") from None
    if seen != {split: n for split, n in sizes.items() if n}:
        raise run.damaged(_FILE, "it has not as many rows as the splits of the run")
    release_unused()
    chosen = {split: sample.chosen()[1] for split, sample in samples.items()}
    return pa.concat_tables([_table(split, rows, ["row", *values], names) for split, rows in chosen.items()])


def _reader(path: str, names: list[str]) -> pcsv.CSVStreamingReader:
    types = {name: pa.string() if name == "split" else pa.float64() for name in names}
    reading = pcsv.ReadOptions(use_threads=False, block_size=2**20)
    return pcsv.open_csv(path, reading, convert_options=pcsv.ConvertOptions(column_types=types))


def _blocks(path: str, names: list[str], columns: list[str]) -> Iterator[tuple[str, Column]]:
    """(split, its rows of a block, shape (n_rows, n_columns)), in the order of the file."""
    for batch in _reader(path, names):
        values = np.column_stack([to_numpy(pa.chunked_array([batch.column(name)])) for name in columns])
        encoded = batch.column("split").dictionary_encode()
        codes = indices(pa.chunked_array([encoded]))
        for code, split in enumerate(encoded.dictionary.to_pylist()):
            yield split, values[codes == code]


def _table(split: str, rows: Column, columns: list[str], names: list[str]) -> pa.Table:
    found = {name: to_arrow(np.ascontiguousarray(rows[:, position])) for position, name in enumerate(columns)}
    found["split"] = repeated(split, len(rows))
    return pa.table({name: found[name] for name in names})
