"""Every argument, option and key of every command with words that a system or a library refuses: never a traceback."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

CODES = (0, 2, 3, 4, 5, 6)
CONFIG = (
    "name: h\ndata: {path: t.csv, target: y}\noptimizer: {lr: 0.01}\ntrain: {epochs: 1, device: cpu}\nplots: false\n"
)
TABLE = "a,b,y\n" + "".join(f"{row},{row % 3},{2 * row + 1}.5\n" for row in range(8))

#: Too long for a name, a path, the system or Python; what no file system or encoding has; what leads nowhere, in a
#: circle or to a device; addresses and numbers that libraries refuse in their own ways.
WORDS = (
    "", " ", "-", "--", ".", "..", "/", "//", "~", "~nobody", "*", "?", "[", "\\", "'", '"', "\n", "\t", "\0", "a\0b",
    "\udcff",
    "a\udc80.csv", "x" * 256, "x" * 300 + ".csv", "x" * 5000, "y" * 100_000, "d/" * 2100 + "t.csv", "../" * 40 + "x",
    "t.csv/x", "t.csv/x.csv", "loop", "loop/x.csv", "loop.csv", "folder", "folder.csv", "missing/x.csv", "gone",
    "gone.csv",
    "/proc/self/mem", "/proc/self/mem/x.csv", "/dev/fd/999", "outputs", "outputs/h-0001", "h-0001/..",
    "latest/x", "pipe.csv",
    "http://", "http://[::1", "http://[::1]:99999/t.csv", "http://a:b/t.csv", "http://\udcff/t.csv",
    "http://xn--\u00fc.csv",
    "https://" + "a" * 70 + ".b/t.csv", "http://" + "a." * 200 + "b/t.csv", "http://a..b/t.csv",
    "http://127.0.0.1:1/\0.csv",
    "http://127.0.0.1:1/" + "x" * 300 + ".csv", "http://127.0.0.1:1/%00.csv", "http://user:p@ss@127.0.0.1:1/t.csv",
    "HTTP://127.0.0.1:1/..", "http://127.0.0.1:1/%2e%2e%2f%ff", "1e400", "-1e400", "9" * 5000, "0x" + "f" * 5000,
    "1" + "0" * 400,
    "nan", "[" * 5000, "{a: " * 5000, "[" * 100_000, "&a [*a]", "!!python/object:os.system x", "\u202e", "\ufeff",
    "\ud83d",
    "😀" * 100, "a:b", "C:\\x", "h-0001", "h-00011111111111111111111111111", "h-" + "9" * 5000, "None", "=", "==",
    "a=b", ",", ",,",
)  # fmt: skip

RUN = "outputs/h-0001"
DRY = ["train", "-c", "c.yaml", "--dry-run", "--set"]
#: Command lines with a place for a word. What would remove or change the run of the others is not among them.
PLACES = [
    ["WORD"], ["train", "WORD"], ["train", "WORD", "--target", "y", "--dry-run"],
    ["train", "t.csv", "--target", "WORD", "--dry-run"], ["train", "t.csv", "--target", "y", "--format", "WORD"],
    ["train", "-c", "c.yaml", "--set", "data.path=WORD", "--dry-run"],
    ["train", "t.csv", "--target", "y", "--features", "WORD", "--dry-run"],
    ["train", "t.csv", "--target", "y", "--ignore", "WORD", "--dry-run"], ["init", "WORD", "-o", "-"],
    ["init", "WORD", "--target", "y", "-o", "-"], ["init", "t.csv", "--target", "WORD", "-o", "-"],
    ["init", "t.csv", "--target", "y", "--ignore", "WORD", "-o", "-"],
    ["train", "-c", "WORD"], ["train", "--set", "WORD"],
    ["train", "-c", "c.yaml", "--set", "WORD"],
    ["train", "-c", "c.yaml", "--set", "WORD=1"], ["train", "-c", "c.yaml", "--name", "WORD", "-q"],
    ["train", "-c", "c.yaml", "--device", "WORD"], ["train", "-c", "c.yaml", "--outputs", "WORD", "--dry-run"],
    ["train", "--resume", "WORD"], ["train", "-c", "c.yaml", "--fail-if", "WORD", "--dry-run"],
    ["train", "-c", "c.yaml", "--fail-if", "train.r2 < WORD", "--dry-run"],
    ["train", "-c", "c.yaml", "--fail-if", "WORD < 1", "--dry-run"], ["train", "-c", "gone.yaml", "--junit", "WORD"],
    ["evaluate", "WORD"], ["evaluate", RUN, "--data", "WORD"], ["evaluate", RUN, "--fail-if", "WORD"],
    ["evaluate", RUN, "--fail-if", "WORD > 1"], ["evaluate", RUN, "--fail-if", "train.r2 < 2 * run(WORD).train.r2"],
    ["evaluate", RUN, "--fail-if", "train.r2 < run(h).WORD"], ["evaluate", RUN, "--outputs", "WORD"],
    ["evaluate", "h", "--outputs", "WORD"],
    ["predict", "WORD", "--data", "t.csv"], ["predict", RUN, "--data", "WORD"],
    ["predict", RUN, "--data", "WORD", "-o", "p.csv"],
    ["plot", "WORD"], ["plot", RUN, "--kind", "WORD"], ["plot", RUN, "--format", "WORD"], ["plot", RUN, "WORD"],
    ["report", "WORD"], ["report", "h-0001", "WORD"], ["report", "h", "--outputs", "WORD"],
    ["export", "WORD", "--format", "json", "-o", "x.json"], ["export", RUN, "--format", "WORD"],
    ["inspect", "-c", "WORD"], ["inspect", "-c", "c.yaml", "--set", "WORD"], ["explain", "-c", "WORD"],
    ["explain", "-c", "c.yaml", "--steps", "WORD"], ["validate", "WORD"], ["validate", "c.yaml", "WORD"],
    ["validate", "--resolved", "WORD"],
    ["stats", "-c", "WORD", "-o", "s.safetensors"], ["stats", "-c", "c.yaml", "--part", "WORD", "-o", "s.safetensors"],
    ["stats", "-c", "c.yaml", "--set", "WORD", "-o", "s.safetensors"], ["stats", "WORD"],
    ["train", "-c", "c.yaml", "--stats", "WORD"], ["inspect", "-c", "c.yaml", "--stats", "WORD"],
    ["stats", "merge", "WORD", "-o", "m.safetensors"], ["stats", "merge", "t.csv", "WORD", "-o", "m.safetensors"],
    ["schema", "-o", "missing/a-WORD"], ["completion", "WORD"],
    ["sweep", "-c", "WORD", "--set", "seed=1,2"], ["sweep", "-c", "c.yaml", "--set", "WORD"],
    ["sweep", "-c", "c.yaml", "--set", "WORD=1,2"], ["sweep", "-c", "c.yaml", "--set", "seed=1,2", "--metric", "WORD"],
    ["sweep", "--resume", "WORD"], ["sweep", "--resume", "h", "--outputs", "WORD"],
    ["runs", "WORD"], ["runs", "list", "--outputs", "WORD"], ["runs", "list", "--name", "WORD"],
    ["runs", "list", "--sort", "WORD"],
    ["runs", "list", "--status", "WORD"], ["runs", "list", "--label", "WORD"], ["runs", "show", "WORD"],
    ["runs", "show", "h", "--outputs", "WORD"], ["runs", "diff", "WORD", RUN], ["runs", "diff", RUN, "WORD"],
    ["runs", "label", "WORD", "x"], ["runs", "rm", "--yes", "gone-WORD"], ["generate-data", "-c", "WORD"],
    ["generate-data", "--set", "WORD", "-o", "g.csv"], ["generate-data", "--set", "WORD=1", "-o", "g.csv"],
]  # fmt: skip
#: Where something is written on success, in a folder of its own.
OUTPUTS = [
    ["predict", RUN, "--data", "t.csv", "-o", "WORD"],
    ["plot", RUN, "--kind", "loss", "--format", "svg", "-o", "WORD"],
    ["export", RUN, "--format", "json", "-o", "WORD"], ["report", RUN, "-o", "WORD"], ["schema", "-o", "WORD"],
    ["stats", "-c", "c.yaml", "-o", "WORD"],
    ["generate-data", "--set", "data.n_samples=3", "-o", "WORD"],
    ["init", "t.csv", "--target", "y", "-o", "WORD"],
    ["evaluate", RUN, "--junit", "WORD"], ["train", "-c", "c.yaml", "-q", "--outputs", "WORD"],
]  # fmt: skip
#: Keys of every kind: names, paths, lists, numbers, patterns, mappings, gates.
KEYS = [
    "name", "seed", "data", "data.source", "data.path", "data.sha256", "data.delimiter", "data.target",
    "data.features", "data.ignore",
    "data.split", "data.split.train", "data.split.column", "preprocess.missing_values", "preprocess.columns",
    "preprocess.missing",
    "model.init.weight", "loss", "huber_delta", "optimizer.lr", "optimizer.momentum", "optimizer.schedule",
    "optimizer.schedule.kind",
    "train.epochs", "train.batch_size", "train.device", "train.dtype", "train.engine", "train.early_stopping.monitor",
    "evaluate.cross_validation.folds", "probe", "gates", "plots", "data.decimal", "data.thousands", "data.encoding",
]  # fmt: skip


def lines() -> Iterator[list[str]]:
    """Every command line."""
    for word in WORDS:
        if word != "pipe.csv":  # tables and configs are read from pipes, so a command waits for its writer
            yield from ([part.replace("WORD", word) for part in place] for place in PLACES)
        for key in KEYS:
            for value in {word, json.dumps(word)}:
                yield ["train", "-c", "c.yaml", "--dry-run", "--set", f"{key}={value}"]
        yield ["train", "-c", "c.yaml", "--dry-run", "--set", f"gates=[{json.dumps(f'train.r2 > {word}')}]"]
        yield [
            "train",
            "-c",
            "c.yaml",
            "--dry-run",
            "--set",
            f"preprocess.columns={{{json.dumps(word)}: {{missing: mean}}}}",
        ]


@pytest.fixture
def place(linreg, tmp_path: Path) -> Path:
    """A folder with a config, a table, a run, links in a circle and to nothing, a folder and a pipe."""
    (tmp_path / "c.yaml").write_text(CONFIG)
    (tmp_path / "t.csv").write_text(TABLE)
    assert linreg("train", "-c", "c.yaml", "--quiet").code == 0
    for name in ("loop", "loop.csv"):
        (tmp_path / name).symlink_to(name)
    for name in ("gone", "gone.csv"):
        (tmp_path / name).symlink_to("nowhere")
    for name in ("folder", "folder.csv"):
        (tmp_path / name).mkdir()
    os.mkfifo(tmp_path / "pipe.csv")
    return tmp_path


def check(linreg, command: list[str]) -> str | None:
    """Run a command; what is wrong with its end, or None."""
    try:
        result = linreg(*command)
    except BaseException as error:
        return f"raised {error!r:.200}"
    lines = [line for line in result.err.split("\n") if line]
    if result.code not in CODES or "Traceback" in result.err:
        return f"exit {result.code}: {result.err[-400:]}"
    if result.code and not any(line.startswith("error: ") for line in lines):
        return f"no error in {result.err[:200]!r}"
    strange = [
        line for line in lines if not line.startswith(("error: ", "warning: ", "note: ", "    ", "  ", "linreg init "))
    ]
    known = result.code == 2 and result.err.startswith("Usage:")
    return f"says {strange[0][:200]!r}" if strange and not known else None


def files(place: Path) -> set[str]:
    return {str(path.relative_to(place)) for path in place.rglob("*") if "outputs" not in path.parts}


def failures(linreg, place: Path, commands: list[list[str]]) -> list[str]:
    """The commands that end otherwise than they should, each cut to a readable length."""
    before, found = files(place), []
    for command in commands:
        wrong = check(linreg, command)
        writes = command[0] == "generate-data" or "--junit" in command
        if wrong is None and not writes and (new := files(place) - before):
            wrong = f"has written {sorted(new)}"
        if writes:
            before = files(place)
        if wrong is not None:
            found.append(f"{[part[:60] for part in command]} {wrong}")
            before = files(place)
    return found


#: Those that draw take seconds each where they succeed, and are tried with every word by `make test-slow`.
SLOW = ("plot", "report")


def test_no_hostile_word_ends_in_a_traceback(linreg, place):
    quick = [command for command in lines() if command[0] not in SLOW]
    assert failures(linreg, place, quick[::23]) == []


@pytest.mark.slow
@pytest.mark.parametrize("part", range(8))
def test_no_word_in_any_place_ends_in_a_traceback(linreg, place, part):
    """About 10,000 command lines."""
    assert failures(linreg, place, [*lines()][part::8]) == []


#: Not those that succeed by taking long: a pipe that nobody reads.
WRITTEN = [word for word in WORDS if word != "pipe.csv" and not word.startswith(("/proc", "/dev", "..", "//"))]


@pytest.mark.parametrize("word", [*(word for word in WRITTEN if len(word) > 250), "\0", "loop", "t.csv/x", "folder"])
@pytest.mark.parametrize("command", [OUTPUTS[0], *OUTPUTS[3:]], ids=lambda command: f"{command[0]} {command[-2]}")
def test_an_output_that_cannot_be_is_a_clean_error(linreg, place, command, word):
    assert check(linreg, [part.replace("WORD", word) for part in command]) is None


@pytest.mark.slow
@pytest.mark.parametrize("command", OUTPUTS, ids=lambda command: f"{command[0]} {command[-2]}")
def test_no_output_ends_in_a_traceback(linreg, place, command):
    for word in WRITTEN:
        assert check(linreg, [part.replace("WORD", word) for part in command]) is None, word


LINES = {
    "deep": '{"a": ' + "[" * 100_000 + "]" * 100_000 + ', "y": 1}',
    "deep objects": '{"a": ' * 20_000 + "1" + "}" * 20_000,
    "huge integer": '{"a": ' + "9" * 5000 + ', "y": 1}',
    "huge number": '{"a": 1e400, "y": 1}',
    "NaN": '{"a": NaN, "y": Infinity}',
    "twice": '{"a": 1, "a": 2, "y": 1}',
    "a long name": json.dumps({"x" * 100_000: 1, "y": 2}),
    "a NUL in a name": json.dumps({"a\0b": 1, "y": 2}),
    "half a character": '{"\\ud83d": 1, "y": 2}',
    "no object": "[1, 2]",
    "cut": '{"a": 1, "y"',
    "text": '{"a": "' + "x" * 200_000 + '", "y": 1}',
}


@pytest.mark.parametrize("name", LINES)
@pytest.mark.parametrize("first", [True, False], ids=["first", "later"])
def test_a_hostile_line_of_json_is_a_clean_error_or_is_read(linreg, place, name, first):
    good = "".join(f'{{"a": {row}, "y": {2 * row}}}\n' for row in range(5))
    text = f"{LINES[name]}\n{good}" if first else f"{good}{LINES[name]}\n"
    (place / "t.jsonl").write_text(text)
    for command in (
        ["train", "-c", "c.yaml", "--dry-run", "--set", "data.path=t.jsonl"],
        ["evaluate", RUN, "--data", "t.jsonl"],
        ["predict", RUN, "--data", "t.jsonl"],
    ):
        assert check(linreg, command) is None


@pytest.mark.parametrize("depth", [33, 1000, 10_000, 100_000])
def test_a_deep_key_or_value_is_a_clean_error(linreg, place, depth):
    nested = {
        "--set": ".".join("a" * depth) + "=1",
        "list": f"probe={'[' * depth}{']' * depth}",
        "mapping": f"probe={'{a: ' * depth}1{'}' * depth}",
    }
    for value in nested.values():
        assert check(linreg, ["train", "-c", "c.yaml", "--set", value]) is None
        assert linreg("train", "-c", "c.yaml", "--set", value).code == 2
    for text in ("[" * depth + "]" * depth, "{a: " * depth + "1" + "}" * depth, "- " * depth, '{"a":' * depth):
        (place / "deep.yaml").write_text(text)
        assert check(linreg, ["validate", "deep.yaml"]) is None
    gate = f"{'.'.join('a' * depth)} > 1"
    assert check(linreg, ["evaluate", RUN, "--fail-if", gate]) is None
    assert check(linreg, ["evaluate", RUN, "--fail-if", f"train.r2 > {'(' * depth}1"]) is None
    assert check(linreg, ["evaluate", RUN, "--fail-if", f"train.r2 > {'9' * depth}"]) is None


@pytest.mark.parametrize("command", [["runs", "show", "h"], ["evaluate", "h"], ["runs", "list"], ["plot", "h"]])
def test_half_a_character_in_the_name_of_the_outputs_is_a_clean_error(linreg, place, command):
    assert check(linreg, [*command, "--outputs", "\ud83d"]) is None
