"""What was probably meant by a command line that is wrong. Read only after an error, so it may import the config."""

import itertools
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

from linreg_cli.cli.folder import is_config
from linreg_cli.remedies import command, flow

#: Commands about a run that take a table by --data, those that take a config by -c, and those that take settings.
_OF_RUN = ("evaluate", "predict")
_OF_CONFIG = ("inspect", "explain")
_WITH_SET = ("train", "inspect", "explain", "generate-data", "generate", "init", "sweep")
_OF_TABLE = ("--target", "--features", "--ignore")
_OF_RUNS = ("list", "show", "diff", "label", "rm")
_COMPARISONS = ("<", ">", "<=", ">=", "==", "!=")
_FLAGS = ("--json", "--quiet", "-q", "--verbose", "-v", "--ridge", "--force", "--dry-run")
#: Sections whose key is meant where several have one of that name, such as `bias`; () is the top of the config.
_FIRST = ((), ("train",), ("optimizer",), ("model",), ("preprocess",), ("data",))


def hint(option: str | None, path: str, words: Sequence[str], *, near: bool = False) -> str | None:
    """What was probably meant, as words to paste; None where that is not clear.

    Args:
        option: the option that the command does not have; None where something else is wrong.
        path: the command, such as `linreg train`.
        words: of the command line, without `linreg`.
        near: whether the command has an option of a similar name, which a key that is only similar does not replace.

    >>> hint("--lr", "linreg train", ["train", "-c", "a.yaml", "--lr", "0.1"])
    '--set optimizer.lr=0.1'
    >>> hint(None, "linreg predict", ["predict", "houses", "new.csv"])
    'linreg predict houses --data new.csv'
    >>> hint(None, "linreg train", ["train", "-c", "a.yaml", "--set", "data.split={train:", "0.8}"])
    "--set 'data.split={train: 0.8}'"
    """
    name = path.removeprefix("linreg").strip()
    tables = [word for word in _arguments(words[1:]) if _is_table(word)]
    if option in _OF_TABLE and name in (*_OF_CONFIG, "sweep") and len(tables) == 1:
        return command("linreg", "init", *tables, option, _value(option, words) or "COLUMN")
    if option is not None:
        return _setting(option, words, near=near) if name in _WITH_SET else None
    if (whole := _in_quotes(words)) is not None:
        return whole
    if not name:
        return _for_command(words) if words else None
    if name == "runs" and len(words) > 1 and not get_close_matches(words[1], _OF_RUNS):
        return command("linreg", "runs", "show", words[1])
    if "-c" in words or "--config" in words or "--data" in words:
        return None
    return _for_files(name, words, tables)


def _for_files(name: str, words: Sequence[str], tables: Sequence[str]) -> str | None:
    """The command with the options that its files and columns belong to; None where that is not clear."""
    if name == "predict" and len(tables) == 2 and "-o" not in words:
        others = [word for word in words[1:] if word not in tables] or ["latest"]
        return command("linreg", name, *others, "--data", tables[0], "-o", tables[1])
    if name in ("train", "init") and len(tables) == 1 and "--target" not in words:
        others = [word for word in _arguments(words[1:]) if word not in tables]
        if len(others) == 1:
            rest = [word for word in words[1:] if word not in (*tables, *others)]
            return command("linreg", name, *tables, "--target", *others, *rest)
    files = [word for word in _arguments(words[1:]) if _is_table(word) or _is_config(word)]
    if len(files) != 1:
        return None
    [file] = files
    others = [word for word in words[1:] if word != file]
    if name in _OF_RUN and _is_table(file):
        run = others if others and not others[0].startswith("-") else ["latest", *others]
        return command("linreg", name, *run, "--data", file)
    if name in (*_OF_CONFIG, "stats", "sweep") and _is_config(file):
        return command("linreg", name, "-c", file, *others)
    if name in (*_OF_CONFIG, "stats"):
        return command("linreg", "init", file, "--target", "COLUMN")
    if name in ("generate-data", "generate"):
        return command("linreg", name, "-c" if _is_config(file) else "-o", file, *others)
    return command("linreg", name, "-c", file, *others) if name == "train" and _is_config(file) else None


def _in_quotes(words: Sequence[str]) -> str | None:
    """The option whose value a shell has split at its blanks, with the value as one word; None without such a value."""
    for at, word in enumerate(words):
        rest = [*itertools.takewhile(lambda each: not each.startswith("--"), words[at + 1 :])]
        if len(rest) < 2:
            continue
        if word == "--set" and "=" not in rest[0] and "." in rest[0]:
            return command(word, f"{rest[0]}={rest[1]}")
        if word == "--set" and (value := _closed(rest)) is not None:
            return command(word, value)
        if word == "--fail-if" and rest[1] in _COMPARISONS and len(rest) > 2:
            return command(word, " ".join(rest[:3]))
        if word in ("--features", "--ignore"):
            return command(word, ",".join(each.strip(",") for each in rest if not _is_table(each)))
    return None


def _closed(rest: Sequence[str]) -> str | None:
    """The first words of some that together close the brackets of the first one; None if it has all, or none do."""
    for count in range(1, len(rest) + 1):
        value = " ".join(rest[:count])
        if all(value.count(start) == value.count(end) for start, end in ("[]", "{}")):
            return value if count > 1 else None
    return None


def _for_command(words: Sequence[str]) -> str | None:
    """The command for a file that was given in the place of one, or for a word that other tools have."""
    word = words[0]
    if word == "help":
        return command("linreg", *words[1:2], "--help")
    if word == "version":
        return command("linreg", "--version")
    if word in _OF_RUNS:
        return command("linreg", "runs", *words)
    if _is_table(word):
        return command("linreg", "train", word, "--target", "COLUMN")
    return command("linreg", "train", "-c", word) if _is_config(word) else None


def _arguments(words: Sequence[str]) -> list[str]:
    """The words that are neither options nor their values."""
    before = ["", *words]
    return [
        word
        for previous, word in zip(before, words, strict=False)
        if not word.startswith("-") and (not previous.startswith("-") or "=" in previous or previous in _FLAGS)
    ]


def _is_table(word: str) -> bool:
    from linreg_cli.config.formats import table_format

    return not word.startswith("-") and table_format(word) is not None


def _is_config(word: str) -> bool:
    return not word.startswith("-") and is_config(word)


def _setting(option: str, words: Sequence[str], *, near: bool) -> str | None:
    """The `--set` for an option that has the name of a key of the config."""
    name = option.lstrip("-").replace("-", "_")
    found = _key(name, exact=near)
    if found is None or not option.startswith("--"):
        return None
    key, is_list = found
    value = _value(option, words)
    if is_list and value and "," in value and not value.startswith("["):
        value = flow([part.strip() for part in value.split(",")])
    return command("--set", f"{key}={'VALUE' if value is None else value}")


def _value(option: str, words: Sequence[str]) -> str | None:
    """What was given with an option, as `--lr 0.1` or `--lr=0.1`; None if nothing was."""
    for word, after in zip(words, [*words[1:], None], strict=True):
        if word == option and after is not None and (not after.startswith("-") or after[1:2].isdigit()):
            return after
        if word.startswith(f"{option}="):
            return word.removeprefix(f"{option}=")
    return None


def _key(name: str, *, exact: bool) -> tuple[str, bool] | None:
    """The dotted key that a name stands for, and whether it may be a list: as it is, of another tool, or mistyped."""
    from linreg_cli.config.diagnostics import ALIASES

    keys = _keys()
    dotted = dict(keys.values())
    if name in dotted:
        return name, dotted[name]
    if name in keys:
        return keys[name]
    if name in ALIASES:
        return ALIASES[name], dotted.get(ALIASES[name], False)
    if exact:
        return None
    close = get_close_matches(name, [*keys], n=1, cutoff=0.75)
    return keys[close[0]] if close else None


def _keys() -> dict[str, tuple[str, bool]]:
    """The last part of each key -> the dotted key, and whether its value may be a list."""
    from linreg_cli.config.merge import KIND_KEYS
    from linreg_cli.config.schema import SECTIONS

    found: dict[str, tuple[str, bool]] = {}
    paths: list[tuple[tuple[str, ...], Any]] = []
    for path, section in SECTIONS.items():
        if "COLUMN" not in path:
            paths.append((path[:-1] if path[:-1] in KIND_KEYS else path, section))
    paths.sort(key=lambda pair: _FIRST.index(pair[0]) if pair[0] in _FIRST else len(_FIRST))
    for path, section in paths:
        for name, field in section.model_fields.items():
            key = ".".join((*path, name))
            if (*path, name) not in [other for other, _ in paths]:
                found.setdefault(name, (key, "tuple" in str(field.annotation)))
    return found
