"""What pandas wrote into a Parquet or Arrow file about its frame: its index, and its categoricals."""

import json
from dataclasses import dataclass
from typing import Any

import pyarrow as pa


@dataclass(frozen=True)
class PandasMetadata:
    """What a schema says of a pandas frame; nothing where it is not of one.

    Attributes:
        index: columns that hold the index of the frame. A RangeIndex has none.
        categorical: columns that were categoricals. Parquet itself keeps this of text only.
    """

    index: frozenset[str] = frozenset()
    categorical: frozenset[str] = frozenset()


def pandas_metadata(schema: pa.Schema) -> PandasMetadata:
    """Read the metadata of a schema.

    >>> note = {"index_columns": ["day"], "columns": [{"name": "c", "pandas_type": "categorical"}]}
    >>> pandas_metadata(pa.schema([("c", pa.int8())], {"pandas": json.dumps(note)}))
    PandasMetadata(index=frozenset({'day'}), categorical=frozenset({'c'}))
    """
    try:
        found: Any = json.loads((schema.metadata or {}).get(b"pandas", b"{}"))
        index = frozenset(name for name in found.get("index_columns", ()) if isinstance(name, str))
        categorical = frozenset(
            str(each.get("field_name") or each.get("name"))
            for each in found.get("columns", ())
            if each.get("pandas_type") == "categorical"
        )
    except (ValueError, AttributeError, TypeError, RecursionError):  # not as pandas writes it
        return PandasMetadata()
    return PandasMetadata(index, categorical)
