"""A config for a table: what is decided about its columns and why, and that the config is one."""

import numpy as np
import pytest
import yaml
from scipy import stats

from linreg_cli.config import load_config
from linreg_cli.convergence import on_disk
from linreg_cli.errors import DataError
from linreg_cli.starter.draft import draft
from linreg_cli.starter.skewed import skewness
from linreg_cli.starter.text import head

ROWS = 80


def table(csv, columns, name="t.csv", delimiter=",", encoding="utf-8"):
    """A file with these columns, and y: a linear function of x with noise."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=ROWS)
    columns = {"x": [f"{value:.6f}" for value in x], **columns}
    columns["y"] = [f"{value:.6f}" for value in 2 * x + rng.normal(size=ROWS)]
    lines = [delimiter.join(columns), *(delimiter.join(map(str, row)) for row in zip(*columns.values(), strict=True))]
    return str(csv("\n".join(lines).encode(encoding) + b"\n", name))


def decided(found):
    return {each.column: (each.use, each.why) for each in found.choices.columns}


WORDS = ["red", "green", "blue"]
COLUMNS = {
    "id": ([f"R-{row:03}" for row in range(ROWS)], "ignored", "identifier or free text: 80 levels in 80 cells"),
    "row": (range(ROWS), "ignored", "identifier: it counts the rows"),
    "color": ([WORDS[row % 3] for row in range(ROWS)], "category", "text, 3 levels; reference level blue"),
    "flag": ([row % 2 == 0 for row in range(ROWS)], "category", "true and false, 2 levels; reference level false"),
    "zero": ([0] * ROWS, "ignored", "constant"),
    "one": (["a"] * ROWS, "ignored", "constant"),
    "gaps": (["" if row % 10 == 0 else (row * 7) % 11 for row in range(ROWS)], "number", "8 of 80 cells are missing"),
    "empty": ([""] * ROWS, "ignored", "no cell has a value"),
    "when": ([f"2020-01-{1 + row % 28:02}" for row in range(ROWS)], "date", "a date, used as days"),
    "us": ([f"01/{1 + row % 28:02}/2020" for row in range(ROWS)], "ignored", "is a date in a form that is not read"),
    "cash": ([f"${(row * 3) % 17}" if row else "5 GBP" for row in range(ROWS)], "ignored", 'with the unit "$"'),
}


@pytest.mark.parametrize("column", COLUMNS)
def test_a_column_is_used_as_its_cells_say(csv, column):
    cells, use, why = COLUMNS[column]
    path = table(csv, {column: cells})
    found_use, found_why = decided(draft(path, ["y"]))[column]
    assert found_use == use
    assert why in found_why


def test_the_levels_that_a_category_may_have_are_those_that_the_user_has_set(csv):
    """The default is 100."""
    path = csv("c,x,y\n" + "".join(f"l{row % 150},{row},{row * row % 7}\n" for row in range(900)))
    found = {most: draft(str(path), ["y"], overrides=[f"preprocess.max_levels={most}"]) for most in (149, 150)}
    assert {most: decided(each)["c"][0] for most, each in found.items()} == {149: "ignored", 150: "category"}


def test_a_column_of_plain_numbers_needs_no_word(csv):
    assert decided(draft(table(csv, {}), ["y"])) == {}


def test_columns_that_others_determine_are_left_out_with_their_formula(csv):
    rng = np.random.default_rng(1)
    a, b = rng.integers(0, 50, ROWS), rng.integers(0, 50, ROWS)
    path = table(csv, {"a": a, "b": b, "total": a + b, "again": a, "cm": 2.54 * b})
    assert decided(draft(path, ["y"])) == {
        "total": ("ignored", "linearly dependent: total = a + b"),
        "again": ("ignored", "linearly dependent: again = a"),
        "cm": ("ignored", "linearly dependent: cm = 2.54 b"),
    }


def test_of_two_nested_categories_the_coarse_one_is_left_out_wherever_it_stands(csv):
    city = [f"city {row % 6}" for row in range(ROWS)]
    region = [f"region {(row % 6) // 2}" for row in range(ROWS)]
    for columns in ({"city": city, "region": region}, {"region": region, "city": city}):
        found = decided(draft(table(csv, columns), ["y"]))
        assert found["region"] == ("ignored", "linearly dependent on city")
        assert found["city"][0] == "category"


def test_the_reference_level_is_one_of_the_train_split(csv):
    rare = ["a" if row == 0 else "bc"[row % 2] for row in range(ROWS)]
    found = draft(table(csv, {"rare": rare}), ["y"], overrides=["data.split.shuffle=false", "data.split.train=1"])
    assert "reference level a" in decided(found)["rare"][1]
    at_the_end = draft(
        table(csv, {"rare": rare[::-1]}), ["y"], overrides=["data.split={train: 0.8, test: 0.2, shuffle: false}"]
    )
    assert "2 levels; reference level b" in decided(at_the_end)["rare"][1]


def test_the_target_with_gaps_drops_rows(csv):
    path = csv("x,y\n" + "".join(f"{row * row},{'' if row < 3 else row}\n" for row in range(40)))
    found = draft(str(path), ["y"])
    assert decided(found)["y"] == ("target", "3 cells of the target are missing; these rows are left out")
    assert found.load().config.preprocess.columns["y"].missing == "drop"


FORMATS = {
    "semicolons": (b"a;b\n" + b"".join(b"%d;%d\n" % (n, n * n % 7) for n in range(30)), {"delimiter": ";"}),
    "decimal commas": (
        b"a;b\n" + b"".join(b"%d,5;%d,25\n" % (n, n * n % 7) for n in range(30)),
        {"delimiter": ";", "decimal": ","},
    ),
    "thousands": (
        b"a;b\n" + b"".join(b"1.%03d,5;%d,25\n" % (n * 3, n * n % 7) for n in range(30)),
        {"delimiter": ";", "decimal": ",", "thousands": "."},
    ),
    "latin": (
        b"a,b,c\n" + b"".join(b"%d,%d,M\xfcnchen\n" % (n, n * n % 7) for n in range(30)),
        {"encoding": "cp1252"},
    ),
    "latin, semicolons, decimal commas": (
        b"a;b;c\n" + b"".join(b"%d,5;%d,25;M\xfcnchen\n" % (n, n * n % 7) for n in range(30)),
        {"encoding": "cp1252", "delimiter": ";", "decimal": ","},
    ),
    "utf-16": (
        ("a,b\n" + "".join(f"{n},{n * n % 7}\n" for n in range(30))).encode("utf-16"),
        {"encoding": "utf-16"},
    ),
}


@pytest.mark.parametrize("kind", FORMATS)
def test_a_text_file_is_read_as_it_is_written(csv, kind):
    content, settings = FORMATS[kind]
    found = draft(str(csv(content)), ["b"])
    assert yaml.safe_load(found.text)["data"].items() >= settings.items()


def test_placeholders_mean_missing(csv):
    path = table(csv, {"size": ["n.a." if row % 9 == 4 else row * 5 % 23 for row in range(ROWS)]})
    found = draft(path, ["y"])
    assert "n.a." in found.load().config.preprocess.missing_values
    assert decided(found)["size"][1].startswith("9 of 80 cells are missing")


def test_a_few_rows_are_all_trained_on(csv):
    path = csv("a,b,c,y\n" + "".join(f"{n},{n * n},{n**3},{n**4 % 11}\n" for n in range(12)))
    found = draft(str(path), ["y"])
    assert yaml.safe_load(found.text)["data"]["split"] == {"train": 1.0}
    assert "12 rows for 4 parameters are too few for a test split" in found.text


def test_a_skewed_target_is_a_hint_and_no_decision(csv):
    prices = np.exp(np.random.default_rng(2).normal(12, 0.8, 80))
    path = csv("x,price\n" + "".join(f"{n * n % 13},{price:.2f}\n" for n, price in enumerate(prices)))
    found = draft(str(path), ["price"])
    assert any("preprocess.target_transform: log" in hint for hint in found.choices.hints)
    assert found.load().config.preprocess.target_transform == "none"
    followed = draft(str(path), ["price"], overrides=["preprocess.target_transform=log"])
    assert followed.choices.hints == ()


def test_skewness_is_that_of_scipy():
    values = np.random.default_rng(3).lognormal(size=200)
    assert skewness(values) == pytest.approx(stats.skew(values), rel=1e-12)


NAMES = [
    "a: b", "#", "it's", '"', "naïve 😀", "- x", "null", "1e3", "{", "[x]", " padded ",
    "&a", "*a", "!t", "%", "@", "y,z", "a\\b",
]  # fmt: skip


def test_names_of_any_kind_survive(tmp_path):
    """A config that names every column, and every level in a comment, is read back as it was meant."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = [*NAMES, "line\nbreak", "tab\t", "\u2028", "x" * 1100]
    columns = {name: [f"{name} {row % 2}" for row in range(ROWS)] for name in names}
    columns["target #1: \n'y'"] = list(np.random.default_rng(4).normal(size=ROWS))
    path = tmp_path / "t: #1.parquet"
    pq.write_table(pa.table(columns), path)
    found = draft(str(path), ["target #1: \n'y'"])
    config = found.load().config
    used = {each.column for each in found.choices.columns}
    assert {*names} <= used
    assert {*config.preprocess.columns} | {*config.data.ignore} >= {*names}
    assert config.data.path == str(path)
    file = tmp_path / "c.yaml"
    file.write_text(head(found.choices, "c.yaml") + found.text, encoding="utf-8")
    assert load_config([str(file)]).config.model_copy(update={"name": config.name}) == config


def test_features_that_are_named_are_kept_or_refused(csv):
    path = table(csv, {"id": COLUMNS["id"][0], "zero": [0] * ROWS})
    found = draft(path, ["y"], ["x", "zero"])
    assert found.load().config.data.features == ("x", "zero")
    with pytest.raises(DataError, match="it cannot be a feature: identifier or free text"):
        draft(path, ["y"], ["x", "id"])


def test_columns_without_a_name_of_their_own_are_left_out(csv):
    path = csv(",x,x,z,y\n" + "".join(f"{n},{n},{n},{n * n % 7},{n * n % 5}\n" for n in range(30)))
    found = draft(str(path), ["y"])
    assert decided(found) == {
        "": ("ignored", "it has no name; name it to use it"),
        "x": ("ignored", "several columns have this name"),
    }
    assert [each.message for each in found.choices.warnings(found.load().config)] == [
        "x is left out: several columns have this name"
    ]


@pytest.mark.parametrize(
    ("head", "why"),
    [
        (",y", "the only other column has no name, as an index that pandas has written; name it in the first line"),
        ("x,x,y", "several columns are called 'x'; give each a name of its own in the first line"),
    ],
)
def test_a_table_whose_other_columns_have_no_name_says_so(csv, head, why):
    row = ",".join("{n}" for _ in head.split(","))
    path = csv(f"{head}\n" + "".join(row.format(n=n) + "\n" for n in range(30)))
    with pytest.raises(DataError, match=f"no feature is left: {why}"):
        draft(str(path), ["y"])


@pytest.mark.parametrize(("apart", "reached"), [(1e-4, True), (1e-5, False)])
def test_a_recipe_that_takes_too_long_is_not_proposed_and_the_config_says_why(csv, apart, reached):
    """The condition number of the standardised columns is about 1.7 / apart; epochs are proportional to it."""
    rng = np.random.default_rng(1)
    a = rng.normal(size=300)
    b, y = a + apart * rng.normal(size=300), 2 * a + rng.normal(size=300)
    path = csv("a,b,y\n" + "".join(f"{u!r},{v!r},{w!r}\n" for u, v, w in np.column_stack([a, b, y]).tolist()))
    found = draft(str(path), ["y"])
    outlook, epochs = found.choices.outlook, found.load().config.train.epochs
    if reached:
        assert outlook is None
        assert epochs > 50_000
        return
    assert outlook.kind == "not_converged"
    assert "too multicollinear for gradient descent (condition number 1" in outlook.message
    assert "the exact fit is reached: train with --set 'data.ignore=[" in outlook.message
    assert epochs <= 10_000
    assert f"# {outlook.message}" in found.text


def test_mae_which_has_no_curvature_gets_a_rate_that_leads_to_its_optimum(linreg, csv):
    """The expected coefficients are those of the median regression of statsmodels."""
    from statsmodels.regression.quantile_regression import QuantReg

    rng = np.random.default_rng(2)
    x = rng.normal(size=61)
    y = 1 + 2 * x + rng.standard_t(3, size=61)
    csv("x,y\n" + "".join(f"{u!r},{v!r}\n" for u, v in zip(x.tolist(), y.tolist(), strict=True)))
    more = ("--set", "loss=mae", "--set", "data.split={train: 1.0}", "--set", "plots=false", "--json")
    result = linreg("train", "t.csv", "--target", "y", *more)
    assert result.code == 0, result.err
    expected = QuantReg(y, np.column_stack([np.ones(61), x])).fit(q=0.5).params
    found = result.json["metrics"]["parameters"]
    assert [found["bias"], found["weights"]["x"]] == pytest.approx(expected, abs=0.01)


def test_few_test_rows_are_said_to_say_little(csv):
    found = draft(str(csv("x,y\n" + "".join(f"{n},{n * n % 7}\n" for n in range(22)))), ["y"])
    assert "; 4 say little, leave-one-out of linreg inspect more" in found.text


def test_a_loss_without_a_recipe_gets_epochs(csv):
    found = draft(table(csv, {}), ["y"], overrides=["loss=mae", "optimizer.lr=0.1", "optimizer.momentum=0"])
    assert found.load().config.train.epochs == 1_000


def test_decisions_that_an_override_changes_are_not_reported(csv):
    path = table(csv, {"color": COLUMNS["color"][0], "id": COLUMNS["id"][0]})
    overrides = ["data.ignore=[id, color]", "data.split={train: 0.5, test: 0.5}"]
    found = draft(path, ["y"], overrides=overrides)
    config = found.load(overrides).config
    assert found.choices.as_json(config)["columns"].keys() == {"id", "color"} or config.data.ignore == ("id", "color")
    assert "data.split" not in found.choices.as_json(config)["settings"]


@pytest.mark.parametrize("own", ["data.split.shuffle=false", "preprocess.standardize=true"])
def test_a_setting_beside_the_shares_of_the_split_leaves_them_as_they_are(csv, own):
    config = draft(table(csv, {}), ["y"], overrides=[own]).load([own]).config
    assert (config.data.split.train, config.data.split.test) == (0.8, 0.2)


def test_without_shuffling_the_test_rows_are_the_last(csv):
    own = ["data.split.shuffle=false"]
    found = draft(table(csv, {}), ["y"], overrides=own)
    assert "they are the last of the table" in found.text
    assert found.load(own).config.data.split.shuffle is False
    assert list(found.known.dataset.splits["test"]) == list(range(64, 80))


def test_above_the_memory_limit_the_draft_is_of_the_rows_on_the_disk_with_the_same_bits(csv, monkeypatch):
    """As a run does, the draft then splits by hash; in memory a draft with that split has the same recipe."""
    path = table(csv, {"color": COLUMNS["color"][0], "gaps": COLUMNS["gaps"][0], "twice": range(ROWS)})
    stored = []
    real = on_disk.rows_on_disk
    monkeypatch.setattr(on_disk, "rows_on_disk", lambda *a, **k: stored.append(a[2]) or real(*a, **k))
    own = ["data.memory_limit=2KiB"]
    found = draft(path, ["y"], overrides=own)
    assert set(stored) == {"train"}
    assert found.known.problem is None
    stored.clear()
    expected = draft(path, ["y"], overrides=["data.split={train: 0.8, test: 0.2, by: hash}"])
    assert stored == []
    splits = [{name: list(rows) for name, rows in each.known.dataset.splits.items()} for each in (found, expected)]
    assert splits[0] == splits[1]
    assert found.choices.training == expected.choices.training
    assert found.choices.columns == expected.choices.columns


@pytest.mark.parametrize("own", ["data.split={train: 1.0}", "data.split.train=1.0"])
def test_a_user_who_sets_a_share_sets_them_all(csv, own):
    assert draft(table(csv, {}), ["y"], overrides=[own]).load([own]).config.data.split.test == 0


GAPS = {
    "n": ["" if row % 8 == 3 else row * 7 % 11 for row in range(ROWS)],
    "word": ["" if row % 9 == 4 else WORDS[row % 3] for row in range(ROWS)],
}


@pytest.mark.parametrize(
    ("own", "number", "category"),
    [
        ("preprocess.missing=drop", "drop", "drop"),
        ("preprocess.missing=median", "median", "level"),  # a category has no median
        ("preprocess.columns.n*.missing=mean", "mean", "level"),
        ("preprocess.columns.w*.missing=drop", "level", "drop"),
        ("preprocess.columns.word.missing=drop", "level", "drop"),
    ],
)
def test_what_a_user_sets_for_gaps_holds_for_the_columns_that_it_fits(csv, own, number, category):
    found = draft(table(csv, GAPS), ["y"], overrides=[own])
    config = found.load([own]).config
    ways = [config.preprocess.of_column(name, ("n", "word")).missing or config.preprocess.missing for name in GAPS]
    assert ways == [number, category]
    used = {each.column: each.missing for each in found.known.dataset.inputs}
    assert (used["n"], used["word"]) == (number, category)


def test_columns_that_a_user_leaves_out_join_those_that_the_draft_leaves_out(csv):
    path = table(csv, {"color": COLUMNS["color"][0], "id": COLUMNS["id"][0], "us": COLUMNS["us"][0]})
    own = ["data.ignore=[color]"]
    found = draft(path, ["y"], overrides=own)
    assert set(found.load(own).config.data.ignore) == {"color", "id", "us"}
    assert found.known.dataset.features == ("x",)


def test_marks_of_missing_cells_join_those_that_the_table_asks_for(csv):
    size = ["n.a." if row % 9 == 4 else "-99" if row % 9 == 5 else row * 5 % 23 for row in range(ROWS)]
    own = ["preprocess.missing_values=['', '-99']"]
    config = draft(table(csv, {"size": size}), ["y"], overrides=own).load(own).config
    assert {"-99", "n.a."} <= set(config.preprocess.missing_values)


def test_marks_of_missing_cells_are_those_of_the_user_where_they_are_enough(csv):
    size = ["-99" if row % 9 == 5 else row * 5 % 23 for row in range(ROWS)]
    own = ["preprocess.missing_values=['', '-99']"]
    config = draft(table(csv, {"size": size}), ["y"], overrides=own).load(own).config
    assert config.preprocess.missing_values == ("", "-99")


TARGETS = {
    "text": (["a", "b"] * 40, "the target is text with 2 levels (a, b)"),
    "dates": ([f"2020-01-{1 + row % 28:02}" for row in range(ROWS)], "convert dates to numbers"),
    "empty": ([""] * ROWS, "no cell of the target has a value"),
    "units": ([f"{row} {'kg' if row else 'lb'}" for row in range(ROWS)], "the target must be numeric"),
}


@pytest.mark.parametrize("kind", TARGETS)
def test_a_target_that_is_no_number_is_refused_with_the_columns_that_are(csv, kind):
    cells, message = TARGETS[kind]
    with pytest.raises(DataError) as error:
        draft(table(csv, {"t": cells}), ["t"])
    assert message in str(error.value)
    assert "columns of numbers: x, y" in str(error.value)
