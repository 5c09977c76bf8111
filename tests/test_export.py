"""An exported model, applied by a few lines of plain Python to the cells of a table, predicts what the run does."""

import csv as csv_module
import json
import math

import numpy as np
import pytest

N_ROWS = 60
CONFIG = """
name: e
data: {{path: t.csv, target: {target}, features: {features}}}
preprocess:
  categorical: one_hot
  unknown: ignore
  standardize: true
  columns: {{age: {{missing: level}}, city: {{missing: level}}, area: {{missing: median}}}}
  {more}
model: {{bias: {bias}}}
optimizer: {{lr: 0.05}}
train: {{epochs: 3, batch_size: 10, dtype: float64, device: cpu}}
plots: false
"""
PLAIN = "[area, age, city, heated]"
MADE = '[area, "area^3", "log(area):age", "sqrt(area)", "log1p(rooms)", "city:rooms", city, heated, "month(sold)"]'


def apply(model: dict, row: dict) -> float:
    """The lines of `docs/howto/export.md`: a missing cell is None, a number a float, another cell its text."""

    def value(column, level=None, function=None, power=1):
        cell = row[column]
        if level is not None:
            return float(("(missing)" if cell is None else cell) == level)
        x = model["fills"][column] if cell is None else cell
        return getattr(math, function)(x) if function else x**power

    total = model["bias"]
    for term in model["terms"]:
        factors = term.get("factors") or [{"column": term["column"], "level": term["level"]}]
        total += term["weight"] * math.prod(value(**factor) for factor in factors)
    return {"none": float, "log": math.exp, "log1p": math.expm1}[model["transform"]](total)


@pytest.fixture
def table(tmp_path):
    """`t.csv`, with missing cells; its numbers are from numpy's generator."""
    stream = np.random.default_rng(4)
    with (tmp_path / "t.csv").open("w", newline="", encoding="utf-8") as file:
        out = csv_module.writer(file)
        out.writerow(["area", "age", "rooms", "city", "heated", "sold", "price", "rent"])
        for row in range(N_ROWS):
            area, age, rooms = stream.uniform(20, 200), stream.uniform(0, 90), stream.integers(1, 7)
            price = math.exp(1 + area / 100 + rooms / 10 + stream.normal(0, 0.2))
            out.writerow([
                "" if row % 11 == 3 else repr(area), "NA" if row % 7 == 2 else repr(age), rooms,
                "" if row % 9 == 4 else ("Ulm", "Zürich", "a,b")[row % 3], ("true", "false")[row % 2 == 0],
                f"2024-{row % 4 + 1:02}-{row % 27 + 1:02}", repr(price), repr(price / 7 + age / 50),
            ])  # fmt: skip
    return tmp_path / "t.csv"


def rows_of(table) -> list[dict]:
    """The rows as a program of somebody else would read them."""
    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv_module.DictReader(file))
    for row in rows:
        for name, cell in row.items():
            row[name] = None if cell in ("", "NA") else cell
        for name in ("area", "age", "rooms"):
            row[name] = None if row[name] is None else float(row[name])
        row["month(sold)"] = str(int(row["sold"][5:7]))
    return rows


CASES = {
    "plain": ("price", PLAIN, "missing: error", "true"),
    "made": ("price", MADE, "standardize_target: true", "true"),
    "no bias": ("price", PLAIN, "missing: error", "false"),
    "log, median": ("price", MADE, "target_transform: log", "true"),
    "log, mean": ("price", MADE, "{target_transform: log, target_estimate: mean}", "true"),
    "log1p, median": ("price", PLAIN, "target_transform: log1p", "true"),
    "log1p, mean, no bias": ("price", PLAIN, "{target_transform: log1p, target_estimate: mean}", "false"),
    "several targets": ("[price, rent]", MADE, "{target_transform: log, target_estimate: mean}", "true"),
}


def trained(linreg, config_file, case: str) -> None:
    target, features, more, bias = CASES[case]
    more = more.strip("{}").replace(", ", "\n  ")
    path = config_file(CONFIG.format(target=target, features=features, more=more, bias=bias))
    result = linreg("train", "-c", path, "-q")
    assert result.code == 0, result.err


@pytest.mark.parametrize("case", CASES)
def test_ten_lines_apply_the_json(linreg, config_file, table, case):
    trained(linreg, config_file, case)
    done = linreg("export", "e", "--format", "json", "-o", "m.json", "--json")
    assert done.code == 0, done.err
    assert done.json["check"]["rows"] == N_ROWS
    assert done.json["check"]["largest_relative_difference"] <= 1e-12
    model = json.loads((table.parent / "m.json").read_text(encoding="utf-8"))
    assert model["format"] == 1
    own = linreg("predict", "e", "--data", "t.csv", "--json").json["predictions"]
    for target, predicted in own.items():
        one = model if len(own) == 1 else model["targets"][target.removeprefix("prediction:")]
        assert [apply(one, row) for row in rows_of(table)] == pytest.approx(predicted, rel=1e-12)


def test_the_form_of_the_json(linreg, config_file, table):
    trained(linreg, config_file, "made")
    assert linreg("export", "e", "--format", "json").out == "outputs/e-0001/export.json\n"
    model = json.loads((table.parent / "outputs/e-0001/export.json").read_text(encoding="utf-8"))
    assert {"format", "bias", "transform", "fills", "terms"} <= model.keys()
    terms = [{key: value for key, value in term.items() if key != "weight"} for term in model["terms"]]
    assert terms[:2] == [
        {"column": "area", "level": None},
        {"factors": [{"column": "area", "function": None, "power": 3}]},
    ]
    assert {"column": "city", "level": "(missing)"} in terms
    assert {"column": "month(sold)", "level": "2"} in terms
    rooms = {"column": "rooms", "function": None, "power": 1}
    assert {"factors": [{"column": "city", "level": "Ulm"}, rooms]} in terms
    assert model["columns"]["month(sold)"]["date"] == "sold"
    areas = [row["area"] for row in rows_of(table) if row["area"] is not None]
    assert model["fills"]["area"] == np.median(areas)


def test_stdout_has_the_model_alone(linreg, config_file, table):
    trained(linreg, config_file, "plain")
    done = linreg("export", "e", "--format", "json", "-o", "-")
    assert done.json["target"] == "price"
    assert done.err.startswith("note: compared with the predictions of the run on 60 rows")


def test_without_its_table_a_model_is_exported_and_says_so(linreg, config_file, table):
    trained(linreg, config_file, "plain")
    table.unlink()
    check = linreg("export", "e", "--format", "json", "--json").json["check"]
    assert check["rows"] == 0
    assert "t.csv" in check["reason"]


def test_a_model_that_predicts_something_else_is_not_written(linreg, config_file, table, monkeypatch):
    from linreg_cli.export import as_json

    trained(linreg, config_file, "plain")
    right = as_json.document
    monkeypatch.setattr(as_json, "document", lambda formula: {**right(formula), "bias": 0.0})
    done = linreg("export", "e", "--format", "json", "-o", "m.json")
    assert done.code == 6
    assert "differs from the predictions of the run" in done.err
    assert not (table.parent / "m.json").exists()


@pytest.mark.parametrize(("transform", "estimate"), [("log", "median"), ("log", "mean"), ("log1p", "mean")])
def test_terms_that_cancel_may_round_another_way(linreg, config_file, tmp_path, transform, estimate):
    """A column about 1e7 with a spread of 3 in a logarithm: a term of 1e6 is rounded to 1e-10, and so is exp of it."""
    stream = np.random.default_rng(4)
    x = 1e7 + 3 * stream.normal(size=N_ROWS)
    y = np.exp((x - 1e7) / 10 + stream.normal(0, 0.2, N_ROWS))
    np.savetxt(tmp_path / "t.csv", np.column_stack([x, y]), delimiter=",", header="x,y", comments="", fmt="%.17g")
    text = "name: e\ndata: {path: t.csv, target: y}\n"
    text += f"preprocess: {{standardize: true, target_transform: {transform}, target_estimate: {estimate}}}\n"
    text += "optimizer: {lr: 0.5}\ntrain: {epochs: 60, batch_size: full, dtype: float64, device: cpu}\nplots: false\n"
    assert linreg("train", "-c", config_file(text)).code == 0
    done = linreg("export", "e", "--format", "json", "-o", "m.json", "--json")
    assert done.code == 0, done.err
    model = json.loads((tmp_path / "m.json").read_text())
    expected = linreg("predict", "e", "--data", "t.csv", "-o", "-").out.splitlines()[1:]
    found = [apply(model, {"x": value}) for value in x]
    assert found == pytest.approx([float(line.split(",")[-1]) for line in expected], rel=1e-8)


def test_a_file_of_the_run_is_not_replaced(linreg, config_file, table):
    trained(linreg, config_file, "plain")
    done = linreg("export", "e", "--format", "json", "-o", "outputs/e-0001/metrics.json")
    assert (done.code, "inside a run folder" in done.err) == (2, True)
    assert linreg("export", "e", "--format", "json", "-o", "m.html").code == 2


def test_a_level_that_is_called_as_missing_cells_is_refused(linreg, config_file, tmp_path):
    (tmp_path / "t.csv").write_text("c,y\n(missing),1\nb,2\n(missing),3\nb,5\n", encoding="utf-8")
    config = config_file("name: e\ndata: {path: t.csv, target: y}\npreprocess: {categorical: one_hot}\nplots: false\n")
    assert linreg("train", "-c", config, "-q").code == 0
    done = linreg("export", "e", "--format", "json")
    assert (done.code, "rename the level" in done.err) == (2, True)


@pytest.mark.parametrize("source", ["synthetic", "inline"])
def test_rows_of_the_config_are_compared(linreg, config_file, source):
    data = {"synthetic": "{source: synthetic, n_samples: 20}"}
    data["inline"] = "{source: inline, columns: [x, y], rows: [[1, 3], [2, 5], [3, 7]], test_rows: [[4, 9]]}"
    path = config_file(f"name: e\ndata: {data[source]}\nplots: false\n")
    assert linreg("train", "-c", path, "-q").code == 0
    check = linreg("export", "e", "--format", "json", "--json").json["check"]
    assert check["rows"] == {"synthetic": 20, "inline": 4}[source]


@pytest.mark.parametrize("case", ["made", "log1p, mean, no bias", "several targets"])
def test_a_linear_layer_of_the_safetensors_predicts_as_the_run(linreg, config_file, table, case):
    import torch
    from safetensors import safe_open

    trained(linreg, config_file, case)
    done = linreg("export", "e", "--format", "safetensors", "-o", "m.safetensors", "--json")
    assert done.code == 0, done.err
    assert done.json["check"]["largest_relative_difference"] <= 1e-12
    with safe_open("m.safetensors", "pt") as file:
        weight, bias, about = file.get_tensor("weight"), file.get_tensor("bias"), file.metadata()
    linreg("export", "e", "--format", "json", "-o", "m.json")
    model = json.loads((table.parent / "m.json").read_text(encoding="utf-8"))
    features = json.loads(about["columns"])
    first = next(iter(model["targets"].values())) if "targets" in model else model
    # a model with one weight of 1 gives the feature of that weight
    one = [{**first, "bias": 0.0, "transform": "none", "terms": [{**term, "weight": 1.0}]} for term in first["terms"]]
    X = torch.tensor([[apply(each, row) for each in one] for row in rows_of(table)], dtype=torch.float64)
    assert (X.shape[1], weight.dtype) == (len(features), torch.float64)
    inverses = {"none": lambda z: z, "log": torch.exp, "log1p": torch.expm1}
    y = inverses[about["transform"]](torch.nn.functional.linear(X, weight, bias))
    own = linreg("predict", "e", "--data", "t.csv", "--json").json["predictions"]
    assert len(own) == len(json.loads(about["targets"]))
    for predicted, column in zip(own.values(), y.T, strict=True):
        assert column.tolist() == pytest.approx(predicted, rel=1e-12)


def test_what_a_time_in_seconds_loses_in_float32_is_warned_of(linreg, config_file, tmp_path):
    """Seconds of 1.7e9 have a float32 at each 128: up to 64 of 1e5 of them are lost, for a slope of about 1."""
    stream = np.random.default_rng(1)
    times, x = 1.7e9 + 1e5 * stream.standard_normal(200), stream.standard_normal(200)
    lines = [
        f"{time!r},{other!r},{(time - 1.7e9) / 1e5 + other!r}"
        for time, other in zip(times.tolist(), x.tolist(), strict=True)
    ]
    (tmp_path / "t.csv").write_text("\n".join(["time,x,y", *lines]) + "\n", encoding="utf-8")
    settings = (
        "preprocess: {standardize: true}\noptimizer: {lr: 0.3}\ntrain: {epochs: 60, batch_size: full, dtype: float64}"
    )
    config = config_file(f"name: e\ndata: {{path: t.csv, target: y}}\n{settings}\nplots: false\n")
    assert linreg("train", "-c", config, "-q").code == 0
    done = linreg("export", "e", "--format", "safetensors", "--dtype", "float32", "--json")
    assert list(done.json["check"]["float32_losses"]) == ["time"]
    deviation = np.std((times - 1.7e9) / 1e5 + x)
    rounding = np.abs(times.astype(np.float32).astype(float) - times).max() / 1e5 / deviation
    assert rounding / 3 < done.json["check"]["float32_losses"]["time"] < 3 * rounding + 1.7e9 / 1e5 * 2**-24 / deviation
    assert "time loses up to" in done.err
    assert "x loses" not in done.err
    assert "float32_losses" not in linreg("export", "e", "--format", "safetensors", "--json").json["check"]


def test_a_type_that_json_does_not_have_is_refused(linreg, config_file, table):
    trained(linreg, config_file, "plain")
    done = linreg("export", "e", "--format", "json", "--dtype", "float32", "-o", "m.json")
    assert (done.code, "leave the option out" in done.err) == (2, True)
    assert not (table.parent / "m.json").exists()
