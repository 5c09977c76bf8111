"""Parquet, Arrow (Feather) and JSON lines, and folders of Parquet parts: formats that carry types."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from linreg_cli.data.table import refuse_bad_names
from linreg_cli.errors import DataError, Fault


class ArrowTable:
    """Parquet, Arrow (Feather) and JSON lines: formats that carry types."""

    def __init__(self, path: str, parts: list[Path]) -> None:
        if not parts:
            raise DataError("the folder holds no .parquet file", path)
        self.name = path
        self._parts = parts
        self.columns: list[str] = self._schema(parts[0]).names
        refuse_bad_names(self.columns, path)

    def read(self, columns: Sequence[str], text: Sequence[str] = (), either: Sequence[str] = ()) -> pa.Table:
        """See `Table.read`; types are those of the file."""
        names = [*columns, *text, *either]
        for part in self._parts[1:]:
            lacking = [name for name in names if name not in self._schema(part).names]
            if lacking:
                raise DataError(f"lacks columns that {self._parts[0].name} has: {', '.join(lacking)}", str(part))
        tables = [self._guard(part, lambda part=part: _load(part, names)) for part in self._parts]
        try:
            return pa.concat_tables(tables, promote_options="permissive")
        except pa.ArrowException as error:
            raise DataError(f"the parts do not fit together: {error}", self.name) from None

    def read_all(self) -> pa.Table:
        """See `Table.read_all`."""
        return self.read(self.columns)

    def numbers(self, table: pa.Table, columns: Sequence[str]) -> pa.Table:
        """See `Table.numbers`; the types are there already."""
        return table

    def typed(self, table: pa.Table) -> pa.Table:
        """See `Table.typed`; the types are there already."""
        return table

    def hint(self, remedy: str = "") -> str:
        """See `Table.hint`; the format says where columns begin."""
        return ""

    def _schema(self, part: Path) -> pa.Schema:
        return self._guard(part, lambda: _schema(part))

    def _guard(self, part: Path, action: Any) -> Any:
        try:
            return action()
        except (pa.ArrowException, OSError, UnicodeDecodeError, KeyError) as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            fault = _bad_json(part) if part.suffix.lower() == ".jsonl" else None
            raise DataError([fault or Fault(f"cannot be read as {part.suffix}: {reason}", str(part))]) from None


def _schema(part: Path) -> pa.Schema:
    if part.suffix.lower() == ".parquet":
        import pyarrow.parquet as pq

        return pq.read_schema(part)
    return _load(part, None).schema


def _load(part: Path, columns: list[str] | None) -> pa.Table:
    suffix = part.suffix.lower()
    if suffix == ".parquet":
        import pyarrow.parquet as pq

        return pq.ParquetFile(part).read(columns=columns)
    if suffix == ".jsonl":
        import pyarrow.json as pj

        table = pj.read_json(str(part))
        return table.select(columns) if columns is not None else table
    import pyarrow.feather as feather

    return feather.read_table(str(part), columns=columns)


def _bad_json(part: Path) -> Fault | None:
    """The first line that is not a JSON object; the reader counts lines from the beginning of a block."""
    try:
        with part.open(encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                try:
                    is_object = not line.strip() or isinstance(json.loads(line), dict)
                except ValueError:
                    is_object = False
                if not is_object:
                    return Fault(f"expected a JSON object, found {line.rstrip()[:60]!r}", f"{part}, line {number}")
    except (OSError, UnicodeDecodeError):
        return None
    return None
