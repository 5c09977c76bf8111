"""An exported graph, run by onnxruntime on the cells of a table, predicts what the run does."""

import json

import numpy as np
import pytest
from test_export import CASES, rows_of, table, trained

__all__ = ["table"]


def feed_of(rows: list[dict], session) -> dict:
    """Column by column: numbers with nan, texts with an empty one, where a cell is missing."""
    feed = {}
    for each in session.get_inputs():
        cells = [row[each.name] for row in rows]
        is_text = each.type == "tensor(string)"
        values = ["" if cell is None else cell for cell in cells] if is_text else cells
        feed[each.name] = np.array(values, dtype=object if is_text else np.float64)[:, None]
    return feed


@pytest.fixture
def session_of(linreg):
    """Export a run and load the graph. Skipped where onnx and onnxruntime are not installed."""
    pytest.importorskip("onnx", reason="onnx is not installed")
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

    def load(*options: str):
        done = linreg("export", "e", "--format", "onnx", "-o", "m.onnx", "--json", *options)
        assert done.code == 0, done.err
        return done.json, runtime.InferenceSession("m.onnx", providers=["CPUExecutionProvider"])

    return load


@pytest.mark.parametrize("case", CASES)
def test_the_graph_predicts_as_the_run(linreg, config_file, table, session_of, case):
    trained(linreg, config_file, case)
    done, session = session_of()
    assert done["check"]["rows"] == len(rows_of(table))
    assert done["check"]["largest_relative_difference"] <= 1e-12
    own = linreg("predict", "e", "--data", "t.csv", "--json").json["predictions"]
    assert [each.name for each in session.get_outputs()] == list(own)
    for found, predicted in zip(session.run(None, feed_of(rows_of(table), session)), own.values(), strict=True):
        assert found[:, 0].tolist() == pytest.approx(predicted, rel=1e-12)


def test_near_zero_log1p_and_its_inverse_keep_their_digits(linreg, config_file, tmp_path, session_of):
    """log(1 + x) of x = 1e-10 has 6 digits where 1 + x is rounded first."""
    x = np.random.default_rng(2).uniform(1, 9, 40) * 1e-10
    lines = [f"{value!r},{2 * value!r}" for value in x.tolist()]
    (tmp_path / "t.csv").write_text("\n".join(["x,y", *lines]) + "\n", encoding="utf-8")
    data = 'data: {path: t.csv, target: y, features: ["log1p(x)"]}\nmodel: {bias: false}\n'
    more = "preprocess: {standardize: true, standardize_target: true, target_transform: log1p}\nplots: false\n"
    more += "train: {dtype: float64, epochs: 50}\n"
    assert linreg("train", "-c", config_file(f"name: e\n{data}{more}"), "-q").code == 0
    _, session = session_of()
    own = linreg("predict", "e", "--data", "t.csv", "--json").json["predictions"]["prediction"]
    assert session.run(None, {"x": x[:, None]})[0][:, 0].tolist() == pytest.approx(own, rel=1e-12)


def test_what_a_graph_does_with_missing_and_unknown_cells(linreg, config_file, tmp_path, session_of):
    lines = ["city,x,y", "Ulm,1,2", "Bonn,2,3", "Ulm,3,5", "Bonn,5,6"]
    (tmp_path / "t.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    more = "preprocess: {categorical: one_hot}\nplots: false\n"
    assert linreg("train", "-c", config_file(f"name: e\ndata: {{path: t.csv, target: y}}\n{more}"), "-q").code == 0
    _, session = session_of()
    cities = np.array([["Ulm"], ["Bonn"], ["Kiel"], [""], ["NA"], ["Ulm"]], dtype=object)
    x = np.array([[1.0], [1.0], [1.0], [1.0], [1.0], [np.nan]])
    ulm, bonn, kiel, *missing = session.run(None, {"city": cities, "x": x})[0][:, 0]
    assert ulm != bonn == kiel  # Bonn is the reference level
    assert np.isnan(missing).all()
    about = session.get_modelmeta().custom_metadata_map
    assert json.loads(about["linreg.columns"])["city"]["levels"] == ["Bonn", "Ulm"]
    assert "none of them" in about["linreg.not_expressed"]


def test_the_loss_of_float32_is_measured(linreg, config_file, table, session_of):
    trained(linreg, config_file, "plain")
    done, session = session_of("--dtype", "float32")
    assert {each.type for each in session.get_inputs()} == {"tensor(float)", "tensor(string)"}
    assert 1e-10 < done["check"]["largest_relative_difference"] < 1e-5


def test_without_onnx_the_extra_is_named(linreg, config_file, table, monkeypatch):
    trained(linreg, config_file, "plain")
    from linreg_cli.export import write

    monkeypatch.setattr(write, "find_spec", lambda name: None)
    done = linreg("export", "e", "--format", "onnx", "-o", "m.onnx")
    assert (done.code, "pip install 'linreg[onnx]'" in done.err) == (2, True)
    assert not (table.parent / "m.onnx").exists()
