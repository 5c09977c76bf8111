"""`linreg evaluate` gives the metrics of a run on its own splits, or on another table."""

import json

import pytest

CONFIG = """
name: t
data: {path: t.csv, target: y, ignore: [note], split: {train: 0.5, test: 0.5, shuffle: false}}
train: {epochs: 50}
plots: false
"""
TABLE = "x,y,note\n" + "".join(f"{x},{2 * x + 1},n{x}\n" for x in range(10))


@pytest.fixture
def trained(linreg, config_file, tmp_path):
    (tmp_path / "t.csv").write_text(TABLE)
    result = linreg("train", "-c", config_file(CONFIG), "--json")
    assert result.code == 0, result.err
    return result.json


def test_on_its_own_splits_the_metrics_are_those_of_the_run(linreg, trained):
    result = linreg("evaluate", "latest", "--json")
    assert (result.code, result.err) == (0, "")
    for key in ("train", "validation", "test", "parameters"):
        assert result.json[key] == trained["metrics"][key]


def test_people_get_a_table(linreg, trained):
    result = linreg("evaluate", "t")
    assert result.code == 0
    assert [line.split()[0] for line in result.out.splitlines()[:3]] == ["n", "train", "test"]
    assert "y, in original units:" in result.out


def test_a_record_without_its_data_is_a_damaged_run(linreg, trained, tmp_path):
    """The metrics are computed without it; their text is not."""
    path = tmp_path / "outputs" / trained["run"] / "run.json"
    path.write_text(path.read_text().replace('"data": {', '"dat": {', 1))
    result = linreg("evaluate", "t")
    assert (result.code, result.out) == (6, "")
    assert "run.json: the run is damaged: unexpected content (KeyError: 'data')" in result.err


def test_another_table_is_matched_by_name_and_its_metrics_are_named_data(linreg, trained, tmp_path):
    slope, bias = trained["metrics"]["parameters"]["weights"]["x"], trained["metrics"]["parameters"]["bias"]
    (tmp_path / "other.csv").write_text("extra,y,x\na,1,0\nb,7,2\n")
    data = linreg("evaluate", "t", "--data", "other.csv", "--json").json["data"]
    errors = [1 - bias, 7 - (2 * slope + bias)]
    assert data["n"] == 2
    assert data["mae"] == pytest.approx(sum(map(abs, errors)) / 2, rel=1e-5)
    assert data["mse"] == pytest.approx(sum(error**2 for error in errors) / 2, rel=1e-5)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "there is no such file"),
        ("x\n1\n", "the table lacks columns that the run needs: y; it has x"),
        ("x,y\n", "no rows"),
        ("x,y\n1,a\n", "'a' is not a number"),
    ],
)
def test_a_table_that_does_not_fit_is_a_data_error(linreg, trained, tmp_path, content, message):
    if content is not None:
        (tmp_path / "other.csv").write_text(content)
    result = linreg("evaluate", "t", "--data", "other.csv", "--json")
    assert (result.code, result.json["error"]["kind"]) == (3, "data")
    assert message in result.json["error"]["message"]
    assert "other.csv" in result.json["error"]["where"]


@pytest.mark.parametrize(
    ("gate", "code"), [("test.n < 5", 0), ("test.n <= 5", 5), ("test.nope > 0", 5), ("validation.r2 < 0", 5)]
)
def test_fail_if_decides_the_exit_code(linreg, trained, gate, code):
    result = linreg("evaluate", "t", "--fail-if", gate, "--json")
    assert result.code == code
    assert ("error" in result.json) == (code == 5)
    assert result.json["test"]["n"] == 5
    assert result.err.count("error: ") == (code == 5)


def test_data_that_has_changed_is_warned_of(linreg, trained, tmp_path):
    (tmp_path / "t.csv").write_text(TABLE.replace("0,1,n0", "0,1.5,n0"))
    result = linreg("evaluate", "t", "--json")
    assert (result.code, result.err) == (0, "warning: the data has changed since the run was trained\n")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("model.safetensors", b""), ("model.safetensors", b"x" * 100), ("model.safetensors", None),
        ("preprocess.json", b"{}"), ("preprocess.json", b"[]"), ("preprocess.json", b'{"format": 1, "features": []}'),
        ("preprocess.json", None), ("config.yaml", b"data: {}\n"), ("config.yaml", b"\xff"), ("config.yaml", None),
        ("run.json", b""),
    ],
)  # fmt: skip
def test_a_damaged_run_is_a_store_error_that_names_the_file(linreg, trained, tmp_path, name, content):
    path = tmp_path / trained["path"] / name
    path.unlink() if content is None else path.write_bytes(content)
    result = linreg("evaluate", "t-0001", "--json")
    assert (result.code, result.json["error"]["kind"]) == (6, "store")
    assert name in json.dumps(result.json["error"])
    assert "Traceback" not in result.err


def test_a_model_that_was_cut_off_is_refused(linreg, trained, tmp_path):
    path = tmp_path / trained["path"] / "model.safetensors"
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        assert linreg("evaluate", "t-0001").code == 6, length


def test_a_run_without_a_model_says_why(linreg, trained, tmp_path):
    run = tmp_path / trained["path"]
    record = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**record, "status": "diverged"}))
    (run / "model.safetensors").unlink()
    result = linreg("evaluate", "t-0001")
    assert (result.code, result.err) == (
        6,
        "error: outputs/t-0001: the run has no model.safetensors (its status is diverged)\n",
    )


def test_of_a_table_that_has_moved_the_options_that_name_it_are_said_and_work(linreg, trained, tmp_path):
    own = linreg("evaluate", "t", "--json").json
    (tmp_path / "t.csv").rename(tmp_path / "moved.csv")
    gone = linreg("evaluate", "latest")
    assert gone.code == 3
    assert gone.err.endswith(": there is no such file; if the table has moved, name it with --data TABLE\n")
    again = linreg("evaluate", "t-0001", "--data", "moved.csv", "--json")
    assert again.json["data"]["n"] == own["train"]["n"] + own["test"]["n"]
    gone = linreg("train", "--resume", "t", "--set", "train.epochs=60")
    assert gone.code == 3
    assert gone.err.endswith("; if the table has moved, name it with --set data.path=TABLE\n")
    words = ["--set", "data.path=moved.csv", "--set", "train.epochs=60", "--json"]
    assert linreg("train", "--resume", "t-0001", *words).json["status"] == "finished"
