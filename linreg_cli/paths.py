"""Paths as users write them: the home folder, `-` for a standard stream, and files that are no files.

Every path of the command line, of the environment and of a config is expanded by `expanded`, because no shell does it
in a quoted word, in a config or in the environment of a service.
"""

import itertools
import os
import re
import stat
from pathlib import Path

from linreg_cli.errors import UsageError, closest

#: What `-` means as an output. It is recognised by its name, so the system need not have such a file.
STDOUT = Path("/dev/stdout")

_STREAMS = {"/dev/stdin": 0, "/dev/stdout": 1, "/dev/stderr": 2}
_MAX_LINKS = 40
#: Files of a folder that are compared with a name that is not there.
_NEIGHBOURS = 10_000
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (lambda mode: stat.S_ISCHR(mode) or stat.S_ISBLK(mode), "a device"),
)


def nearest(path: str) -> str:
    """The file whose name is nearest to one that is not there, as the end of a message; empty without one.

    Names are compared without their suffixes, which make any two tables alike.
    """
    file = Path(path)
    try:
        with os.scandir(file.parent) as entries:
            names = [entry.name for entry in itertools.islice(entries, _NEIGHBOURS)]
    except (OSError, ValueError):
        return ""
    others = [name for name in names if name != file.name]  # which a link to nowhere has
    by_stem: dict[str, str] = {}
    for name in sorted(others, key=lambda name: (Path(name).suffix != file.suffix, name)):
        by_stem.setdefault(_stem(name), name)
    near = closest(_stem(file.name), [*by_stem])
    return "" if near is None else f"; did you mean {str(file.with_name(by_stem[near]))!r}?"


def _stem(name: str) -> str:
    """The name of a file without its suffixes.

    >>> _stem("houses.csv.gz"), _stem(".hidden")
    ('houses', '.hidden')
    """
    return name.removesuffix("".join(Path(name).suffixes))


def expanded(path: str) -> str:
    """A path with the home folder in place of a leading `~` or `~user`.

    >>> expanded("a/~/b"), expanded("./~")
    ('a/~/b', './~')

    Raises:
        UsageError: if there is no such home folder. The path is never used as it is, or a folder `~` would be made.
            Also for a NUL and for half of a character, which no path has, and which the system's calls refuse in ways
            of their own.
    """
    if "\0" in path:
        raise UsageError("a path cannot hold a NUL character", path)
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        raise UsageError("a path cannot hold half of a character (a lone surrogate)", path) from None
    if not path.startswith("~"):
        return path
    first, slash, rest = path.partition("/")
    folder = home(first[1:])
    if folder is None and first == "~":
        raise UsageError("~ stands for the home folder, and the user has none; set HOME or write a whole path", path)
    if folder is None:
        raise UsageError(f"there is no user {first[1:]!r}; a file in the current folder is ./{path}", path)
    return os.path.join(folder, rest) if slash else folder


def home(user: str = "") -> str | None:
    """The home folder of a user, or of the current one: HOME, else that of the user database; None if there is none."""
    try:
        import pwd
    except ImportError:  # Windows
        found = os.path.expanduser(f"~{user}")
        return found if os.path.isabs(found) else None
    set_by_user = os.environ.get("HOME", "")
    if not user and os.path.isabs(set_by_user):
        return set_by_user
    try:
        found = pwd.getpwnam(user).pw_dir if user else pwd.getpwuid(os.getuid()).pw_dir
    except (KeyError, ValueError):
        return None
    return found if os.path.isabs(found) else None


def output_path(text: str) -> Path:
    """The path of an output as a user gives it; `-` is standard output.

    >>> output_path("-"), output_path("a.csv").name
    (PosixPath('/dev/stdout'), 'a.csv')

    Raises:
        UsageError: as `expanded`.
    """
    return STDOUT if text == "-" else Path(expanded(text))


def descriptor_of(path: Path) -> int | None:
    """The number of the open file that a path stands for, through links: `/dev/stdout` is 1, `/dev/fd/3` is 3.

    Such a path must be written to through that number. Opening it anew truncates the file that stdout was redirected
    to, and replacing that file leaves the shell with the old one.
    """
    for _ in range(_MAX_LINKS):
        if str(path) in _STREAMS:
            return _STREAMS[str(path)]
        folder = os.path.realpath(path.parent)
        if path.name.isdecimal() and re.fullmatch(rf"/dev/fd|/proc/{os.getpid()}(/task/\d+)?/fd", folder):
            return int(path.name)
        try:
            path = Path(os.path.normpath(os.path.join(folder, os.readlink(path))))
        except (OSError, ValueError):
            return None
    return None


def is_stdout(path: Path | None) -> bool:
    """Whether a path is standard output.

    >>> is_stdout(Path("/dev/stdout")), is_stdout(Path("a.csv")), is_stdout(None)
    (True, False, False)
    """
    return path is not None and descriptor_of(path) == 1


def kind(path: Path) -> str | None:
    """What is at a path instead of a regular file, with its article; None for a regular file, and for nothing.

    Raises:
        OSError: if the path leads nowhere that can be looked at, such as a circle of links.
    """
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    return next((name for is_kind, name in _KINDS if is_kind(mode)), None)


def is_written_through(path: Path) -> bool:
    """Whether an output is written to and never replaced: a pipe, a device, a socket, an open file."""
    try:
        return descriptor_of(path) is not None or kind(path) not in (None, "a folder")
    except OSError:  # such as a circle of links; whoever opens it says so
        return False
