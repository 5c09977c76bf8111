"""The file of statistics: safetensors, with its description in the metadata.

The metadata has one entry, `linreg_stats`: JSON with `format`, `digest` (SHA-256 of the tensors and of the rest of the
description) and what `TableStatistics` holds beside arrays.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load, save

from linreg_cli.errors import DataError
from linreg_cli.files import write_bytes
from linreg_cli.statistics.facts import ColumnFacts, Plain, TableStatistics, WeightFacts
from linreg_cli.statistics.moments import Moments
from linreg_cli.statistics.quantiles import Histogram

FORMAT = 1
#: With weights of rows, which earlier versions would leave out.
FORMAT_WITH_WEIGHTS = 2
#: With products of categories, which earlier versions do not know.
FORMAT_WITH_PRODUCTS = 3
#: The entry of the metadata.
ENTRY = "linreg_stats"
_MAKE_IT = "make it with: linreg stats -c CONFIG -o FILE"

Arrays = dict[str, npt.NDArray[Any]]


def write_statistics(path: Path, found: TableStatistics) -> None:
    """Write a file of statistics.

    Raises:
        StoreError: if it cannot be written.
    """
    write_bytes(path, as_bytes(found))


def as_bytes(found: TableStatistics) -> bytes:
    """The content of the file; the same statistics have the same bytes."""
    moments = found.moments
    arrays: Arrays = {"R": moments.R, "center": moments.center}
    columns = []
    for position, each in enumerate(found.columns):
        values: dict[str, Any] = {
            "column": each.column, "role": each.role, "kind": each.kind, "is_category": each.is_category,
            "missing": each.missing, "gaps": each.gaps, "levels": dict(each.levels), "whole": each.whole,
        }  # fmt: skip
        arrays[f"range.{position}"] = np.array([each.low, each.high])
        if each.histogram is not None:
            values["dropped_bits"] = each.histogram.dropped
            arrays |= {f"bins.{position}": each.histogram.bins, f"counts.{position}": each.histogram.counts}
        if each.plain is not None:
            values["count"] = each.plain.count
            arrays[f"plain.{position}"] = np.array([each.plain.mean, each.plain.squares, each.plain.rest])
        if each.without:
            values["without"] = {missing: list(ends) for missing, ends in each.without.items()}
        columns.append(values)
    values = {
        "format": FORMAT, "part": list(found.part), "settings": dict(found.settings), "table": dict(found.table),
        "digests": list(found.digests), "n_rows": found.n_rows, "n_dropped": found.n_dropped,
        "splits": dict(found.splits), "n": moments.n, "keys": [list(key) for key in moments.keys], "columns": columns,
    }  # fmt: skip
    if (weights := found.weights) is not None:
        values |= {"format": FORMAT_WITH_WEIGHTS, "weight": weights.column}
        arrays["weights"] = np.array([weights.low, weights.logs])
    if any(each.kind == "product" for each in found.columns):
        values["format"] = FORMAT_WITH_PRODUCTS
    values["digest"] = _digest(values, arrays)
    content = {name: np.ascontiguousarray(each) for name, each in arrays.items()}
    # One entry: safetensors writes several in random order, and equal statistics should give equal files.
    return bytes(save(content, metadata={ENTRY: json.dumps(values)}))


def _digest(values: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> str:
    described = {key: value for key, value in values.items() if key != "digest"}
    found = hashlib.sha256(json.dumps(described, sort_keys=True).encode())
    for name in sorted(arrays):
        found.update(name.encode())
        found.update(np.ascontiguousarray(arrays[name]).data)
    return found.hexdigest()


def read_statistics(path: str) -> TableStatistics:
    """Read a file of statistics.

    Raises:
        DataError: for a file that cannot be read, is none of statistics, is damaged, or is of a newer version.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", path) from None
    values = _description(content, path)
    found = values.get("format")
    if not isinstance(found, int) or found < 1:
        raise DataError(_damaged("its format is no number"), path)
    if found > FORMAT_WITH_PRODUCTS:
        reads = f"formats {FORMAT} to {FORMAT_WITH_PRODUCTS}"
        message = f"the statistics have format {found}, and this version of linreg reads {reads}"
        raise DataError(f"{message}; update linreg, or {_MAKE_IT}", path)
    try:
        arrays = load(content)
        if _digest(values, arrays) != values["digest"]:
            raise DataError(_damaged("its digest is not that of its content"), path)
        return _statistics(values, arrays)
    except (SafetensorError, KeyError, ValueError, TypeError, AttributeError, IndexError) as error:
        raise DataError(_damaged(f"{type(error).__name__}: {error}"), path) from None


def _description(content: bytes, path: str) -> dict[str, Any]:
    """The JSON of the metadata, which stands at the front of the file."""
    nothing = f"the file holds no statistics; {_MAKE_IT}"
    length = int.from_bytes(content[:8], "little")
    if len(content) < 8 or length > len(content) - 8 or content[8:9] != b"{":
        cut = len(content) > 8 and content[8:9] == b"{" and ENTRY.encode() in content
        raise DataError(_damaged("it ends too early") if cut else nothing, path)
    try:
        header = json.loads(content[8 : 8 + length])
        text = header.get("__metadata__", {}).get(ENTRY)
    except (ValueError, AttributeError, RecursionError):
        raise DataError(_damaged("its header is no JSON") if ENTRY.encode() in content else nothing, path) from None
    if not isinstance(text, str):
        raise DataError(nothing, path)
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        raise DataError(_damaged("its description is no JSON"), path) from None
    if not isinstance(values, dict):
        raise DataError(_damaged("its description is no JSON object"), path)
    return values


def _damaged(why: str) -> str:
    return f"the statistics are damaged ({why}); {_MAKE_IT}"


def _statistics(values: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> TableStatistics:
    keys = tuple((str(kind), str(column), str(level)) for kind, column, level in values["keys"])
    R, center = arrays["R"], arrays["center"]
    if R.shape != (len(keys) + 1,) * 2 or center.shape != (len(keys),):
        raise ValueError(f"R {R.shape} and center {center.shape} of {len(keys)} columns")
    columns = tuple(_column(entry, position, arrays) for position, entry in enumerate(values["columns"]))
    index, of = values["part"]
    weights = WeightFacts(str(values["weight"]), *arrays["weights"].tolist()) if "weight" in values else None
    return TableStatistics(
        settings=values["settings"],
        table=values["table"],
        part=(int(index), int(of)),
        digests=tuple(map(str, values["digests"])),
        n_rows=int(values["n_rows"]),
        n_dropped=int(values["n_dropped"]),
        splits={str(split): int(count) for split, count in values["splits"].items()},
        columns=columns,
        moments=Moments(int(values["n"]), keys, center, R),
        weights=weights,
    )


def _column(entry: Mapping[str, Any], position: int, arrays: Mapping[str, npt.NDArray[Any]]) -> ColumnFacts:
    low, high = arrays[f"range.{position}"].tolist()
    histogram = None
    if "dropped_bits" in entry:
        histogram = Histogram(int(entry["dropped_bits"]), arrays[f"bins.{position}"], arrays[f"counts.{position}"])
    plain = Plain(int(entry["count"]), *arrays[f"plain.{position}"].tolist()) if "count" in entry else None
    return ColumnFacts(
        column=str(entry["column"]),
        role=str(entry["role"]),
        kind=str(entry["kind"]),
        is_category=bool(entry["is_category"]),
        missing=int(entry["missing"]),
        gaps=int(entry["gaps"]),
        low=low,
        high=high,
        whole=bool(entry["whole"]),
        levels={str(level): int(count) for level, count in entry["levels"].items()},
        histogram=histogram,
        plain=plain,
        without={str(missing): (float(low), float(high)) for missing, (low, high) in entry.get("without", {}).items()},
    )
