"""Which objects of a store are the parts of a table: one, those in a folder, or those that a pattern matches."""

import re

from linreg_cli.config.formats import format_of
from linreg_cli.data.tables.object_stores import ObjectError, ObjectStore

_MAGIC = re.compile(r"[*\[]")
_READ = ".csv, .tsv, .parquet, .arrow, .feather or .jsonl"


def stored_files(address: str) -> tuple[str, tuple[str, ...]]:
    """The objects of a table, in the order of their names, character by character.

    Args:
        address: an object; a folder, which is what keys begin with up to a `/`; or a pattern with `*`, `[...]`, and
            `**` for any folders. A `?` begins the options. What is really called so comes first.

    Returns:
        What the address is, as `Location.what`, and the addresses of the objects, with the options.

    Raises:
        ObjectError: if there is nothing at the address, or no part of a table.
    """
    from pyarrow.fs import FileType

    store = ObjectStore(address)
    path = store.address.path
    found = store.info(path)
    if found.is_file:
        return "file", (address,)
    if found.type == FileType.Directory:
        return "folder", _addresses(store, _in_folder(store, path))
    if not _MAGIC.search(path):
        raise ObjectError(store.nothing(), address)
    return "pattern", _addresses(store, _matched(store, path))


def _addresses(store: ObjectStore, paths: list[str]) -> tuple[str, ...]:
    return tuple(map(store.address.sibling, paths))


def _in_folder(store: ObjectStore, folder: str) -> list[str]:
    found = [each for each in store.listed(folder, recursive=False) if not each.base_name.startswith((".", "_"))]
    files = [each.path.lstrip("/") for each in found if each.is_file and format_of(each.path)]
    own = {format_of(file) for file in files}
    for each in found:
        if each.is_file:
            continue
        for inner in store.listed(each.path, recursive=True):
            if inner.is_file and format_of(inner.path) and (not own or format_of(inner.path) in own):
                message = f"its folder {each.base_name} has {format_of(inner.path)} files too, and linreg reads the"
                pattern = store.address.sibling(f"{folder}/**/*{format_of(inner.path)}")
                raise ObjectError(
                    f"{message} files of one folder; name all of them with the pattern {pattern}", store.address.name
                )
    if not files:
        raise ObjectError(f"the folder has no {_READ} files", store.address.name)
    return files


def _matched(store: ObjectStore, path: str) -> list[str]:
    folders = path.split("/")
    at = next(number for number, folder in enumerate(folders) if _MAGIC.search(folder))
    if not at and store.address.scheme != "memory":
        raise ObjectError("the name of a bucket is no pattern", store.address.name)
    literal, pattern = "/".join(folders[:at]), re.compile(pattern_of(path))
    listed = store.listed(literal, recursive=at < len(folders) - 1 or folders[-1] == "**")
    files = [each.path.lstrip("/") for each in listed if each.is_file]
    last = folders[-1]
    files = [each for each in files if last.startswith("_") or not each.rpartition("/")[2].startswith("_")]
    files = [each for each in files if pattern.fullmatch(each)]
    if not files:
        raise ObjectError("no object matches the pattern", store.address.name)
    if others := [each for each in files if format_of(each) is None]:
        message = f"the pattern matches {others[0]}, which linreg does not read as a table"
        raise ObjectError(f"{message}; name the objects more closely, such as *.csv", store.address.name)
    return files


def pattern_of(path: str) -> str:
    """The regular expression of a pattern, as that of `glob`: a `*` is within a folder, and matches no leading dot.

    >>> bool(re.fullmatch(pattern_of("b/**/x-[0-9]*.csv"), "b/2026/11/x-30.csv"))
    True
    >>> [bool(re.fullmatch(pattern_of("b/*.csv"), each)) for each in ("b/a.csv", "b/c/a.csv", "b/.a.csv")]
    [True, False, False]
    """
    parts = []
    for folder in path.split("/"):
        if folder == "**":
            parts.append(r"(?:[^/.][^/]*/)*")
            continue
        found = "".join(map(_as_expression, re.findall(r"\*|\[!?]?[^]]*]|.", folder, re.DOTALL)))
        parts.append((r"(?!\.)" if folder.startswith(("*", "[")) else "") + found + "/")
    whole = "".join(parts)
    return whole + r"[^/.][^/]*" if path.endswith("**") else whole.removesuffix("/")


def _as_expression(token: str) -> str:
    if token == "*":
        return "[^/]*"
    if token.startswith("[") and len(token) > 1:
        inner = re.sub(r"([\\\[&~|^])", r"\\\1", token[1:-1].removeprefix("!"))
        return f"(?!/)[{'^' if token[1] == '!' else ''}{inner}]"
    return re.escape(token)
