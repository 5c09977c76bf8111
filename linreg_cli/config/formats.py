"""What the name of a table says about its format, and how text may be written."""

import codecs
import encodings.aliases
import glob
import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from linreg_cli.addresses import object_name
from linreg_cli.config.types import refuse, shown
from linreg_cli.errors import did_you_mean

#: Suffix of a text format -> its usual delimiter.
CSV_SUFFIXES = {".csv": ",", ".tsv": "\t"}
COMPRESSIONS = (".gz", ".zst")
OTHER_SUFFIXES = (".parquet", ".arrow", ".feather", ".jsonl")
#: Suffixes of text that may be a table or not: read as a CSV where the file itself is named, and no part of a folder.
TEXT_SUFFIXES = (".txt", ".dat", ".data")

#: A separator of thousands -> the characters that are read as it.
SEPARATORS = {
    ".": ".",
    ",": ",",
    "'": "'\u2019",
    " ": "\t \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000",
}
#: Codecs of Python for source code and for host names, which no file is written in.
_NO_FILES = frozenset(["unicode-escape", "raw-unicode-escape", "idna", "punycode", "undefined"])
_KNOWN = "; allowed: utf-8, utf-16, cp1252, latin-1 and other names that Python's codecs know"


def text_suffix(path: str | Path) -> str | None:
    """`.csv` or `.tsv` for such a file, compressed or not; None for another format.

    >>> text_suffix("a.csv.gz"), text_suffix("a.csv.parquet")
    ('.csv', None)
    """
    suffixes = [suffix.lower() for suffix in Path(object_name(str(path))).suffixes]
    if suffixes and suffixes[-1] in COMPRESSIONS:
        suffixes.pop()
    return suffixes[-1] if suffixes and suffixes[-1] in CSV_SUFFIXES else None


def format_of(file: str) -> str | None:
    """The suffix of a format that linreg reads, without that of a compression; None for another file.

    >>> format_of("a.CSV.gz"), format_of("a.parquet"), format_of("a.truth.json")
    ('.csv', '.parquet', None)
    """
    suffix = Path(object_name(file)).suffix.lower()
    return text_suffix(file) or (suffix if suffix in OTHER_SUFFIXES else None)


def is_text_by_name(path: str) -> bool:
    """Whether a file is text by its name, so that it may be a CSV.

    >>> is_text_by_name("iris.data"), is_text_by_name("a/rows.TXT.gz"), is_text_by_name("rows.csv")
    (True, True, False)
    """
    return _text_end(object_name(path)) != ""


def _text_end(name: str) -> str:
    """The suffix of text at the end of a name, with that of a compression; else empty."""
    ends = (text + packed for text in TEXT_SUFFIXES for packed in ("", *COMPRESSIONS))
    return next((end for end in ends if name.lower().endswith(end)), "")


def table_format(path: str) -> str | None:
    """The suffix by which the format of a table is known, with that of its compression; None if it is not known.

    >>> table_format("a/Rows.TSV.gz"), table_format("a.parquet"), table_format("/dev/fd/63")
    ('.tsv.gz', '.parquet', None)
    """
    known = [*OTHER_SUFFIXES, *(text + packed for text in CSV_SUFFIXES for packed in ("", *COMPRESSIONS))]
    name = object_name(path).lower()
    return next((suffix for suffix in known if name.endswith(suffix)), None)


def disagreement(path: str, format_: str) -> str:
    """What is wrong with a format that is named for a table whose name says another one; else empty.

    >>> disagreement("a.tsv.gz", "csv"), disagreement("a.csv.gz", "csv"), disagreement("a.txt", "csv")
    ('csv is not the format of the file, whose name ends in .tsv.gz', '', '')
    """
    suffix = table_format(path)
    if suffix is None or suffix.removesuffix(".gz").removesuffix(".zst") == f".{format_}":
        return ""
    return f"{format_} is not the format of the file, whose name ends in {suffix}"


def table_stem(path: str) -> str:
    """The name of a table without its folder and the suffixes of its format; of a pattern what it is spelled with.

    >>> table_stem("data/houses.csv.gz"), table_stem("/a/my.rows.parquet"), table_stem("parts/")
    ('houses', 'my.rows', 'parts')
    >>> table_stem("iris.data")
    'iris'
    >>> table_stem("data/2026-*.csv"), table_stem("s3://bucket/houses/**/*.parquet?region=eu-west-1")
    ('2026', 'houses')
    """
    if path == "-":  # standard input has no name
        return ""
    found = Path(object_name(path))
    for name in (found.name, *(each.name for each in found.parents)):
        suffix = table_format(name) or _text_end(name)
        stem = name[: -len(suffix)] if suffix else name
        if not glob.has_magic(stem):
            return stem
        if spelled := re.sub(r"\[[^]]*]|[*?]", "", stem).strip("-_. "):
            return spelled
    return ""


def separator(mark: str) -> str | None:
    r"""The separator of thousands that a character is read as; None if it is none.

    >>> separator("\u202f"), separator("\u2019"), separator("_")
    (' ', "'", None)
    """
    return next((name for name, marks in SEPARATORS.items() if len(mark) == 1 and mark in marks), None)


def _decimal(value: Any) -> Any:
    if value not in (".", ","):
        raise refuse(f'expected "." or ",", found {shown(value)}')
    return value


def _thousands(value: Any) -> Any:
    found = separator(value) if isinstance(value, str) else None
    if found is None and value is not None:
        raise refuse(f'expected null, ".", ",", "\'" or " ", found {shown(value)}')
    return found


def _encoding(value: Any) -> Any:
    if not isinstance(value, str):
        raise refuse(f"expected the name of an encoding, found {shown(value)}")
    try:
        codec = codecs.lookup(value)
    except (LookupError, ValueError):
        codec = None
    if codec is not None:
        if codec._is_text_encoding and codec.name not in _NO_FILES:
            return value
        raise refuse(f"{value!r} is not an encoding of text files{_KNOWN}")
    found = value if value.isprintable() and len(value) <= 40 else f"{value[:40]!a}"
    known = sorted({name.replace("_", "-") for pair in encodings.aliases.aliases.items() for name in pair})
    near = did_you_mean(value.lower().replace("_", "-")[:40], known)
    raise refuse(f"unknown encoding {found!r}{near if 'did you' in near else _KNOWN}")


def _unit(value: Any) -> Any:
    if isinstance(value, str) and re.fullmatch(r"[^\s\d.,+-](?:[^\d\n]{0,10}[^\s\d])?", value):
        return value
    raise refuse(f"expected a unit such as kg, without digits and without blanks around it, found {shown(value)}")


Decimal = Annotated[str, BeforeValidator(_decimal), WithJsonSchema({"enum": [".", ","]})]
_marks: list[dict[str, Any]] = [
    {"enum": [None, *SEPARATORS]},
    {
        "enum": [mark for marks in SEPARATORS.values() for mark in marks if mark not in SEPARATORS],
        "$comment": "the like",
    },
]
Thousands = Annotated[str | None, BeforeValidator(_thousands), WithJsonSchema({"anyOf": _marks})]
Encoding = Annotated[str, BeforeValidator(_encoding)]
#: What stands beside numbers.
Unit = Annotated[str, BeforeValidator(_unit), WithJsonSchema({"type": "string", "minLength": 1, "maxLength": 12})]
