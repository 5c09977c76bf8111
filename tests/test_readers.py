"""What a message tells to do can be done where it is read: overrides in Python, parameters of the estimator."""

import ast
import re

import numpy as np
import pandas as pd
import pytest
from conftest import REPOSITORY
from pasting import remedies
from remedy_cases import COLUMNS, N, X, Y

import linreg_cli
from linreg_cli import SGDLinearRegression
from linreg_cli.errors import LinregError
from linreg_cli.readers import PARAMETERS

BASE = {"data": {"target": "y"}, "train": {"epochs": 1, "device": "cpu"}, "plots": False}
#: Kinds of faults and warnings of `remedy_cases` that are met in a data frame, where cells are text or numbers.
KINDS = [
    "words", "a placeholder", "a placeholder in a category", "a missing number", "a missing level", "no value", "dates",
    "dates that could be levels", "identifiers", "too many levels", "leading zeros", "a constant",
    "the same as another", "beyond float32", "a mark with quotes",
]  # fmt: skip
#: settings of a frame with x, y and c -> what is wrong is said with a remedy.
SETTINGS = {
    "a rate that must diverge": {"optimizer.lr": 30.0, "train.batch_size": "full"},
    "a gap of a loss without a certificate": {"train.stop_gap": 0.1, "loss": "mae"},
    "an order of rows without steps": {"train.shuffle": "blocks", "train.batch_size": "full"},
    "weight decay": {"optimizer.weight_decay": 0.1, "gates": ["inference.f > 0"]},
    "weight decay, and leave-one-out": {"optimizer.weight_decay": 0.1, "gates": ["optimum.leave_one_out.rmse < 1e9"]},
    "no bias": {"model.bias": False, "gates": ["parameters.bias > -1e9"]},
    "no cross-validation": {"gates": ["cross_validation.rmse.mean < 9"]},
}  # fmt: skip


def passed(message: str) -> list[dict]:
    """Each `overrides={...}` of a message."""
    found = []
    for start in (each.end() for each in re.finditer(r"overrides=", message)):
        end = next(end for end in range(start + 1, len(message) + 1) if _is_literal(message[start:end]))
        found.append(ast.literal_eval(message[start:end]))
    return found


def _is_literal(text: str) -> bool:
    try:
        ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return False
    return True


def flat(settings: dict, prefix: str = "") -> dict:
    return {f"{prefix}{section}.{key}": value for section, keys in settings.items() for key, value in keys.items()}


def said(rows: dict, overrides: dict, outputs) -> str:
    """The error of a training, or its warnings."""
    try:
        return "\n".join(
            each["message"] for each in linreg_cli.train(BASE, overrides, data=rows, outputs=outputs).warnings
        )
    except LinregError as error:
        return str(error)


def problems(message: str) -> set[str]:
    """What is wrong, without what is done about it."""
    return {re.split(r"; |\. |, or |: (?=fill)", line)[0] for line in message.splitlines()}


def check(rows: dict, given: dict, tmp_path) -> None:
    message = said(rows, given, tmp_path)
    assert not re.search(r"(?<!\w)--[a-z]|linreg [a-z]+ ", message), message
    assert [*remedies(message)] == [], message
    ways = passed(message)
    assert ways, message
    for way in ways:
        after = said(rows, {**given, **way}, tmp_path)
        assert problems(message) - problems(after), (way, message, after)


@pytest.mark.parametrize("kind", KINDS)
def test_what_python_is_told_to_pass_helps(kind, tmp_path):
    cells, settings = COLUMNS[kind]
    values = [None if cell == "" else cell for cell in cells]
    if kind in ("a missing number", "no value", "a constant", "the same as another", "beyond float32"):
        values = np.array([np.nan if cell is None else float(cell) for cell in values])
    check({"x": X, "y": Y, "c": np.asarray(values, dtype=getattr(values, "dtype", object))}, flat(settings), tmp_path)


@pytest.mark.parametrize("kind", SETTINGS)
def test_what_python_is_told_of_settings_helps(kind, tmp_path):
    check({"x": X, "y": Y}, SETTINGS[kind], tmp_path)


def test_faults_of_several_columns_have_one_mapping_to_pass(tmp_path):
    rows = {
        "x": X,
        "y": Y,
        "id": np.array([f"r{i}" for i in range(N)], dtype=object),
        "gaps": np.where(X > 1, np.nan, X),
    }
    message = said(rows, {}, tmp_path)
    (way,) = passed(message)
    assert way == {"data.ignore": ["id"], "preprocess.missing": "level"}
    assert said(rows, way, tmp_path).startswith("coefficient ")


def test_places_are_those_of_the_call(tmp_path):
    message = said({"x": X, "y": Y}, {"optimizer.lr": "quick", "train.epochs": -1}, tmp_path)
    assert message.splitlines() == [
        "overrides['optimizer.lr']: optimizer.lr: expected a number or auto, found the text 'quick'",
        "overrides['train.epochs']: train.epochs must be at least 1, found -1",
    ]
    with pytest.raises(LinregError, match=r"start one with linreg_cli\.train\(config\)$"):
        linreg_cli.load_run("latest", outputs=tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(LinregError, match=r"it is not a folder; choose another with outputs$"):
        linreg_cli.train(BASE, data={"x": X, "y": Y}, outputs=tmp_path / "file")


def test_a_reason_that_a_run_keeps_is_written_for_whoever_reads_it(linreg, tmp_path):
    """The run of a command in Python, and the other way round: far from the exact fit, and so without intervals."""
    (tmp_path / "t.csv").write_text("x,y\n" + "".join(f"{x},{y}\n" for x, y in zip(X, Y, strict=True)))
    (tmp_path / "a.yaml").write_text("data: {path: t.csv, target: y}\ntrain: {epochs: 1, device: cpu}\nplots: false\n")
    assert linreg("train", "-c", "a.yaml").code == 0
    with pytest.raises(LinregError) as caught:
        linreg_cli.load_run("a").predict("t.csv", interval="prediction")
    (way,) = passed(str(caught.value))
    run = linreg_cli.train("a.yaml", way)
    assert len(run.predict("t.csv", interval="prediction")) == N
    linreg_cli.train({**BASE, "name": "b", "data": {"path": "t.csv", "target": "y"}})
    error = linreg("predict", "b", "--data", "t.csv", "--interval", "prediction").err
    words = re.search(r"train with ((?:--set [a-z._]+=\w+ ?)+)", error)[1].split()
    assert linreg("train", "-c", "a.yaml", *words, "--name", "c").code == 0
    assert linreg("predict", "c", "--data", "t.csv", "--interval", "prediction").code == 0


#: parameters, columns of X from x -> the estimator's messages.
ESTIMATORS = {
    "a rate that must diverge": ({"lr": 10.0, "momentum": 0.0}, 3),
    "scales": ({"lr": 0.1, "momentum": 0.0, "standardize": False}, 300),
    "a gap of a loss without a certificate": ({"loss": "mae", "stop_gap": 1e-3, "lr": 0.1, "momentum": 0.0}, 1),
    "an order of rows without steps": ({"shuffle": "blocks"}, 1),
    "a rate without a momentum": ({"lr": 1.9, "momentum": "auto", "standardize": False}, 3),
}


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_what_the_estimator_is_told_to_set_is_a_parameter_and_helps(kind):
    given, scale = ESTIMATORS[kind]
    with pytest.raises(LinregError) as caught:
        SGDLinearRegression(epochs=3, **given).fit(scale * X[:, None], Y)
    message = str(caught.value)
    assert not re.search("|".join(map(re.escape, (key for key in PARAMETERS if "." in key))), message)
    assert not re.search(r"--[a-z]|overrides", message)
    ways = re.findall(r"(?:[Ss]et|or) (\w+)=('\w+'|[\w.+-]+)", message)
    assert ways
    for name, value in ways:
        SGDLinearRegression(epochs=3, **{**given, name: ast.literal_eval(value)}).fit(scale * X[:, None], Y)


@pytest.mark.parametrize("frame", [False, True], ids=["an array", "pandas"])
def test_what_the_estimator_is_told_of_columns_is_a_statement_that_helps(frame):
    x = np.c_[X, Y**2, X + Y**2]
    values = {"X": pd.DataFrame(x, columns=["a", "b c", "s"]) if frame else x, "np": np}
    (warning,) = SGDLinearRegression().fit(values["X"], Y).warnings_
    exec(re.search(r"set (X = .*), or weight_decay", warning["message"])[1], values)
    assert SGDLinearRegression().fit(values["X"], Y).warnings_ == []
    assert values["X"].shape == (N, 2)


def test_no_message_spells_a_setting_to_paste_out():
    """It would be a line of a config for every reader; `remedies.setting` writes it for each."""
    spelled = re.compile(r"\b[Ss]et (?:data|preprocess|model|optimizer|train|evaluate)\.[a-z_.]+: [a-z0-9{\[\"]")
    found = []
    for path in sorted((REPOSITORY / "linreg_cli").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        described = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        texts = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
        found += [
            f"{path.name}:{node.lineno}: {node.value}"
            for node in texts
            if id(node) not in described and spelled.search(node.value)
        ]
    assert found == []


def test_who_passes_statistics_is_told_to_leave_the_argument_out(linreg, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pd.DataFrame({"x": X, "y": Y}).to_csv("t.csv", index=False)
    config = {**BASE, "data": {"path": "t.csv", "target": "y"}}
    (tmp_path / "c.yaml").write_text("data: {path: t.csv, target: y}\n")
    assert linreg("stats", "-c", "c.yaml", "-o", "s.npz").code == 0
    full = {"train.batch_size": "full", "train.dtype": "float64", "optimizer.lr": 0.1}
    for wrong in ({}, {**full, "gates": ["train.mae < 1"]}, {**full, "train.engine": "native"}):
        with pytest.raises(LinregError) as raised:
            linreg_cli.train(config, wrong, statistics="s.npz", outputs=tmp_path)
        message = str(raised.value)
        assert "leave statistics= out" in message, message
        assert "--stats" not in message
    linreg_cli.train(config, full, outputs=tmp_path)
    shown = linreg("train", "-c", "c.yaml", "--stats", "s.npz", "--dry-run").err
    assert "leave --stats out" in shown
