"""`import linreg_cli`: a run from Python, without a trace in the process."""

import json
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import statsmodels.api as sm
from conftest import CONFIGS

import linreg_cli
from linreg_cli.errors import ConfigError, DataError, DivergedError, LinregError, StoreError, UsageError

RNG = np.random.default_rng(7)
ROWS = 40
HOUSES = pd.DataFrame(
    {
        "面积": RNG.uniform(50, 150, ROWS),
        "city": RNG.choice(["Oslo", "Bergen", "Voss"], ROWS),
        "floors": RNG.integers(1, 9, ROWS),
    },
    index=pd.Index([f"h{row}" for row in range(ROWS)], name="house"),
)
HOUSES["price"] = 3 * HOUSES["面积"] + 50 * (HOUSES["city"] == "Oslo") + HOUSES["floors"] + RNG.normal(size=ROWS)

#: Gradient descent reaches the exact fit.
EXACT = {
    "data": {"target": "price", "split": {"train": 0.75, "test": 0.25}},
    "preprocess": {"standardize": True, "categorical": "one_hot"},
    "optimizer": {"lr": "auto", "momentum": "auto"},
    "train": {"batch_size": "full", "epochs": 2000, "dtype": "float64"},
    "gates": ["test.r2 >= 0.5", "test.r2 >= 1.5"],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("api")


@pytest.fixture(scope="module")
def run(folder):
    return linreg_cli.train(EXACT, {"name": "houses", "plots": False}, data=HOUSES, outputs=folder)


def test_a_run_has_what_its_folder_has(run, folder):
    assert (run.id, run.path, run.status) == ("houses-0001", folder / "houses-0001", "finished")
    assert run.metrics == json.loads((run.path / "metrics.json").read_text())
    assert run.config["data"]["source"] == "frame"
    assert run.config["optimizer"]["lr"] > 0
    assert run.history.column_names[:4] == ["epoch", "step", "lr", "train_loss"]
    assert (run.history.column("epoch")[0].as_py(), str(run.history.schema.field("step").type)) == (0, "int64")
    assert repr(run) == f"Run({str(run.path)!r})"


def test_a_gate_that_fails_raises_nothing(run):
    assert [(gate.gate, gate.passed) for gate in run.gates] == [("test.r2 >= 0.5", True), ("test.r2 >= 1.5", False)]


def test_the_index_of_a_frame_is_no_feature(run):
    assert "house" in [warning["message"].split()[0] for warning in run.warnings if warning["kind"] == "index"]
    assert "house" not in str(run.metrics["parameters"])


def test_coefficients_are_those_of_statsmodels(run):
    """The exact fit by statsmodels, on the rows of the run's train split."""
    split = linreg_cli.load_run("houses", folder_of(run))._contents.table("predictions.csv", text=("split",))
    train = [int(row) - 1 for row, of in zip(split["row"].to_pylist(), split["split"].to_pylist(), strict=True)
             if of == "train"]  # fmt: skip
    rows = HOUSES.iloc[sorted(train)]
    found = run.coefficients()
    assert found.column_names == ["term", "estimate", "std_err", "t", "p", "ci_low", "ci_high", "distance"]
    X = np.column_stack(
        [rows["面积"], rows["city"] == "Oslo", rows["city"] == "Voss", rows["floors"], np.ones(len(rows))]
    )
    fit = sm.OLS(rows["price"].to_numpy(), X.astype(float)).fit()
    assert found["term"].to_pylist() == ["面积", "city=Oslo", "city=Voss", "floors", "bias"]
    for name, expected in {
        "estimate": fit.params, "std_err": fit.bse, "t": fit.tvalues, "p": fit.pvalues,
        "ci_low": fit.conf_int()[:, 0], "ci_high": fit.conf_int()[:, 1],
    }.items():  # fmt: skip
        np.testing.assert_allclose(found[name].to_numpy(), expected, rtol=1e-7)
    assert np.abs(found["distance"].to_numpy()).max() < 1e-6
    assert found.schema.metadata[b"statistics_of"] == b"trained"


def folder_of(run) -> Path:
    return run.path.parent


def test_predictions_come_as_the_kind_that_was_given(run):
    framed = run.predict(HOUSES, interval="prediction", level=0.9)
    assert list(framed.columns) == ["prediction", "prediction_low", "prediction_high"]
    assert framed.index.equals(HOUSES.index)
    assert (framed["prediction_low"] < framed["prediction"]).all()
    columns = run.predict({name: HOUSES[name].to_numpy() for name in ("floors", "city", "面积")})
    assert np.array_equal(columns["prediction"], framed["prediction"])
    arrow = run.predict(pa.Table.from_pandas(HOUSES))
    assert np.array_equal(arrow["prediction"].to_numpy(), framed["prediction"])


def test_predictions_are_those_of_the_command_line(run, linreg, tmp_path):
    HOUSES.to_parquet(tmp_path / "houses.parquet")
    assert linreg("predict", run.path, "--data", "houses.parquet", "-o", "out.parquet").code == 0
    out = pd.read_parquet("out.parquet")
    assert np.array_equal(out["prediction"], run.predict(HOUSES)["prediction"])
    assert np.array_equal(run.predict("houses.parquet")["prediction"].to_numpy(), out["prediction"])


def test_a_frame_and_its_file_give_the_same_model(run, folder, tmp_path):
    HOUSES.to_parquet(tmp_path / "houses.parquet")
    data = {
        "data.source": "table",
        "data.path": str(tmp_path / "houses.parquet"),
        "data.split": run.config["data"]["split"],
    }
    again = linreg_cli.train(run.config, {**data, "plots": False}, outputs=folder)
    assert again.metrics["parameters"] == run.metrics["parameters"]
    assert again.record["data"]["fingerprint"] == run.record["data"]["fingerprint"]


def test_what_needs_the_rows_asks_for_them(run):
    for ask in (run.evaluate, lambda: run.resume({"train.epochs": 3000}), lambda: linreg_cli.train(run.config)):
        with pytest.raises(DataError, match=r"data.source: frame: the rows are those of a data frame.* give it"):
            ask()
    with pytest.raises(UsageError, match=r"no correlation picture.*rows, which are those of a data frame.*rows=frame"):
        run.plot("correlation")


def test_what_needs_the_rows_takes_them(run, folder):
    metrics = run.evaluate(rows=HOUSES)
    assert metrics["test"] == run.metrics["test"]
    assert run.plot("correlation", rows=HOUSES).axes
    with pytest.raises(DataError, match="the rows are not those that the run was trained on"):
        run.evaluate(rows=HOUSES.iloc[::-1])
    with pytest.raises(UsageError, match="the table has changed since the run"):
        run.plot("correlation", rows=HOUSES.iloc[::-1])
    short = linreg_cli.train(EXACT, {"train.epochs": 5, "plots": False}, data=HOUSES, outputs=folder)
    longer = short.resume({"train.epochs": 2000}, rows=HOUSES)
    assert longer.metrics["parameters"] == run.metrics["parameters"]
    with pytest.raises(DataError, match="the data has changed since the run began"):
        short.resume({"train.epochs": 3000}, rows=HOUSES.iloc[::-1])


def test_a_frame_of_a_run_of_a_file_and_a_level_without_an_interval_are_refused(run, folder):
    data = {"source": "inline", "columns": ["x", "y"], "rows": [[1, 2], [2, 4], [3, 7]]}
    config = {"data": data, "train": {"epochs": 2}, "plots": False}
    inline = linreg_cli.train(config, outputs=folder)
    rows = {"x": [1.0, 2.0], "y": [2.0, 4.0]}
    for use in (
        lambda: inline.evaluate(rows=rows),
        lambda: inline.plot("correlation", rows=rows),
        lambda: inline.resume({"train.epochs": 3}, rows=rows),
    ):
        with pytest.raises(UsageError, match="the frame: the config has source: inline, which takes no frame"):
            use()
    with pytest.raises(UsageError, match="level: it is the level of intervals; add interval='prediction'"):
        run.predict(HOUSES, level=0.9)


def test_other_rows_are_evaluated_as_data(run):
    some = HOUSES.iloc[:9]
    error = some["price"] - run.predict(some)["prediction"]
    assert run.evaluate(some)["data"]["mse"] == pytest.approx((error**2).mean(), rel=1e-12)
    with pytest.raises(UsageError, match="give one of them"):
        run.evaluate(some, rows=HOUSES)


def test_what_trains_a_run_of_a_frame_again_is_python_that_works(run, tmp_path, monkeypatch):
    new = {"面积": [90.0], "city": ["Hamar"], "floors": [1]}
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="'Hamar' is not a level") as error:
        run.predict(new)
    said = str(error.value).partition("train again: ")[2]
    again = eval(said, {"linreg_cli": linreg_cli, "frame": HOUSES})
    assert again.config["preprocess"]["unknown"] == "ignore"
    assert np.isfinite(again.predict(new)["prediction"]).all()


def test_the_command_line_knows_a_run_of_a_frame(run, linreg):
    assert linreg("runs", "show", run.path).code == 0
    assert linreg("plot", run.path, "-o", "pictures").code == 0
    assert linreg("report", run.path, "-o", "report.html").code == 0
    again = linreg("train", "-c", run.path / "config.yaml")
    assert (again.code, "write it to a file" in again.err) == (3, True)
    assert linreg("validate", run.path / "config.yaml").code == 0


def test_a_picture_is_a_figure_that_a_notebook_shows(run):
    from matplotlib.figure import Figure

    figure = run.plot("residuals")
    assert isinstance(figure, Figure)
    assert figure._repr_png_().startswith(b"\x89PNG")
    assert run.plot("loss", scale="log").axes[0].get_yscale() == "log"
    for wrong, said in [
        (lambda: run.plot("residual"), "did you mean 'residuals'"),
        (lambda: run.plot("loss", scale="logs"), "unknown value 'logs'"),
        (lambda: run.plot("residuals", scale="log"), "scale and x are about the pictures loss and gap"),
        (lambda: run.plot("residuals", target="rent"), "no target 'rent'"),
        (lambda: run.plot("fit"), "it has more than one feature"),
    ]:
        with pytest.raises(UsageError, match=said):
            wrong()


def test_a_run_shows_itself_in_a_notebook(run):
    page = run._repr_html_()
    assert page.count("data:image/png;base64,") == 2
    assert "<bdi>面积</bdi>" in page
    assert "gate failed" in page


def test_several_targets_are_named(folder):
    rows = {"x": [1.0, 2.0, 3.0, 4.0], "a": [2.0, 4.1, 6.0, 8.0], "b": [1.0, 0.0, -1.0, -2.2]}
    config = {"data": {"target": ["a", "b"]}, "train": {"batch_size": "full"}, "plots": False}
    run = linreg_cli.train(config, data=rows, outputs=folder)
    found = run.coefficients().to_pydict()
    assert list(zip(found["target"], found["term"], strict=True)) == [
        ("a", "x"), ("a", "bias"), ("b", "x"), ("b", "bias"),
    ]  # fmt: skip
    assert list(run.predict({"x": [1.0]})) == ["prediction:a", "prediction:b"]
    with pytest.raises(UsageError, match="has several targets; choose one: a, b"):
        run.plot("residuals")
    assert run.plot("residuals", target="b").axes


def test_settings_of_numpy_and_paths_are_settings(folder):
    rows = {"x": [1.0, 2.0, 3.0], "y": [1.0, 2.0, 3.5]}
    run = linreg_cli.train(
        {"data": {"target": "y", "features": ("x",)}},
        {"optimizer.lr": np.float64(0.01), "train.epochs": np.int64(2), "plots": np.bool_(False)},
        data=rows,
        outputs=str(folder),
    )
    assert (run.config["optimizer"]["lr"], run.config["train"]["epochs"]) == (0.01, 2)


def test_a_config_file_is_a_config_and_its_rows_may_be_others(folder):
    run = linreg_cli.train(CONFIGS / "smoke.yaml", {"train.epochs": 1, "plots": False}, outputs=folder)
    assert run.id == "smoke-0001"
    rows = {"x": [1.0, 2.0, 3.0], "y": [1.0, 2.0, 3.5]}
    other = {"data": {"path": "no-such.csv", "delimiter": ";", "target": "y"}, "plots": False}
    assert linreg_cli.train(other, data=rows, outputs=folder).metrics["train"]["n"] == 3
    with pytest.raises(ConfigError, match="inline takes no frame, and one was given as data"):
        linreg_cli.train(CONFIGS / "smoke.yaml", {"data.source": "inline", "data.columns": ["x", "y"],
                                                  "data.rows": [[1, 2]]}, data=rows)  # fmt: skip


@pytest.mark.parametrize(
    ("config", "overrides", "kind", "said"),
    [
        (
            {"data": {"target": "y"}, "los": "mse"},
            {},
            ConfigError,
            "the config: unknown key 'los'; did you mean 'loss'",
        ),
        ({"data": {"target": "y"}}, {"optimizer.lr": "high"}, ConfigError, "expected a number or auto"),
        ({"data": {"target": "y"}}, {"loss": object()}, ConfigError, "a object is no value of a config"),
        ({1: 2}, {}, ConfigError, "a key is text, found 1"),
        ({"data": {"target": "z"}}, {}, DataError, "there is no column 'z'"),
        ({"data": {"target": "y"}}, {"optimizer.lr": 1e6}, DivergedError, "optimizer.lr"),
        (3, {}, ConfigError, "a config is a path or a mapping, found a int"),
        ("-", {}, ConfigError, "standard input is read by the command line only"),
        ("no-such.yaml", {}, ConfigError, "cannot read the config"),
        ({"data": {"target": "y"}}, ["loss=mae"], UsageError, "overrides are a mapping"),
    ],
)
def test_errors_are_exceptions_and_leave_nothing_behind(tmp_path, config, overrides, kind, said):
    rows = {"x": [1.0, 2.0, 3.0], "y": [1.0, 2.0, 3.5]}
    with pytest.raises(kind) as error:
        linreg_cli.train(config, overrides, data=rows, outputs=tmp_path)
    assert said in str(error.value)
    assert isinstance(error.value, linreg_cli.errors.LinregError)
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_is_not_there(folder):
    with pytest.raises(StoreError, match="there is no run 'nothing'"):
        linreg_cli.load_run("nothing", outputs=folder)


def test_names_of_the_package_are_offered_and_others_are_not():
    assert {"train", "load_run", "Run", "errors"} <= set(dir(linreg_cli))
    with pytest.raises(AttributeError, match="no attribute 'fit'"):
        linreg_cli.fit  # noqa: B018


def test_two_threads_train_at_once_as_one_does(folder):
    found, failed = {}, []

    def work(seed: int) -> None:
        try:
            rows = HOUSES.iloc[seed:]
            found[seed] = linreg_cli.train(EXACT, {"train.epochs": 50}, data=rows, outputs=folder).metrics["parameters"]
        except LinregError as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    for seed in range(3):
        alone = linreg_cli.train(EXACT, {"train.epochs": 50, "plots": False}, data=HOUSES.iloc[seed:], outputs=folder)
        assert found[seed] == alone.metrics["parameters"]


IMPORTING = """
import sys
before = set(sys.modules)
import linreg_cli
print(sorted(name for name in set(sys.modules) - before if name.split(".")[0] not in sys.stdlib_module_names))
"""


def test_importing_imports_nothing():
    result = subprocess.run([sys.executable, "-c", IMPORTING], capture_output=True, text=True, check=True)
    assert result.stdout == "['linreg_cli']\n"


#: What a program may have set, before and after everything that a run does.
PROCESS = """
import gc, json, logging, os, random, signal, sys, threading, warnings
import matplotlib, numpy as np, torch
signal.signal(signal.SIGTERM, lambda *_: None)
gc.set_threshold(701, 11, 12)
torch.set_num_threads(3)
matplotlib.use("svg")
matplotlib.rcParams["font.size"] = 7.5
random.seed(1), np.random.seed(2), torch.manual_seed(3)
warnings.simplefilter("error", FutureWarning)
np.seterr(all="raise")
torch.set_default_dtype(torch.float32)

def state():
    return {
        "signals": [str(signal.getsignal(number)) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)],
        "environment": dict(os.environ),
        "torch threads": torch.get_num_threads(),
        "random": [str(random.getstate()), str(np.random.get_state()), torch.get_rng_state().tolist()],
        "matplotlib": {key: str(value) for key, value in dict.items(matplotlib.rcParams)},
        "pyplot": "matplotlib.pyplot" in sys.modules,
        "warnings": [str(each) for each in warnings.filters],
        "gc": [gc.get_threshold(), gc.isenabled(), gc.get_freeze_count()],
        "hooks": [sys.excepthook is sys.__excepthook__, sys.unraisablehook is sys.__unraisablehook__],
        "numpy": np.geterr(),
        "dtype": str(torch.get_default_dtype()),
        "gradients": torch.is_grad_enabled(),
        "logging": [logging.root.level, len(logging.root.handlers), logging.getLogger("matplotlib").level,
                    len(logging.getLogger("matplotlib.font_manager").filters)],
        "folder": os.getcwd(),
        "path": list(sys.path),
        "recursion": sys.getrecursionlimit(),
    }

before = state()
import linreg_cli
rows = {"x": [1.0, 2.0, 3.0, 4.0], "价": [3.0, 5.0, 7.0, 9.5]}

def work():
    config = {"data": {"target": "价"}, "train": {"batch_size": "full"}}
    run = linreg_cli.train(config, data=rows, outputs=sys.argv[1])
    run.predict(rows), run.plot("residuals"), run._repr_html_(), run.evaluate(rows)
    try:
        linreg_cli.train(config, {"optimizer.lr": 1e9}, data=rows, outputs=sys.argv[1])
    except linreg_cli.errors.DivergedError:
        pass

work()
threads = [threading.Thread(target=work) for _ in range(2)]
[thread.start() for thread in threads], [thread.join() for thread in threads]
after = state()
with open(os.path.join(sys.argv[1], "state.json"), "w") as file:
    json.dump({key: [before[key], after[key]] for key in before if before[key] != after[key]}, file)
"""


def test_nothing_in_the_process_changes_and_nothing_is_printed(tmp_path):
    result = subprocess.run([sys.executable, "-c", PROCESS, tmp_path], capture_output=True, text=True, check=True)
    assert json.loads((tmp_path / "state.json").read_text()) == {}
    assert (result.stdout, result.stderr) == ("", "")


def test_a_notebook_trains_and_shows(tmp_path):
    """A real kernel, by nbclient, which runs a notebook as Jupyter does."""
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    nbformat = pytest.importorskip("nbformat")
    cells = [
        "import linreg_cli",
        f"rows = {{'x': [1.0, 2.0, 3.0], 'y': [1.0, 2.0, 3.5]}}; outputs = {str(tmp_path)!r}",
        "run = linreg_cli.train({'data': {'target': 'y'}}, data=rows, outputs=outputs)\nrun",
        "run.plot('loss')",
        "linreg_cli.train({'data': {'target': 'z'}}, data=rows, outputs=outputs)",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    done = nbclient.NotebookClient(notebook, timeout=300, allow_errors=True, kernel_name="python3").execute()
    outputs = [cell["outputs"] for cell in done["cells"]]
    assert outputs[:2] == [[], []]
    assert [list(output["data"]) for output in outputs[2]] == [["text/plain", "text/html"]]
    assert "image/png" in outputs[3][0]["data"]
    assert (outputs[4][0]["ename"], "there is no column 'z'" in outputs[4][0]["evalue"]) == ("DataError", True)


def test_an_error_names_the_argument_that_allows_it_and_no_option_of_the_command_line(tmp_path):
    rows = {"x": [1.0, 2.0, 3.0], "y": [1.0, 2.0, 3.5]}
    config = {"data": {"target": "y"}, "optimizer": {"lr": 1e6}, "train": {"batch_size": "full"}, "plots": False}
    with pytest.raises(DivergedError, match="the loss would grow without bound") as refused:
        linreg_cli.train(config, data=rows, outputs=tmp_path)
    assert [fault.allowed_by for fault in refused.value.faults] == ["force"]
    assert "--" not in str(refused.value)
