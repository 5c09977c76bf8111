"""One table of coefficients, for the terminal and the report: of which fit it is, what it shows, and how wide it is."""

import numpy as np
import pytest

from linreg_cli.cli.coefficients import coefficients_text
from linreg_cli.decimals import text_width
from linreg_cli.evaluation.coefficients import SHOWN_DISTANCE, coefficient_tables, shown_columns
from linreg_cli.least_squares.refusal import NEAR


def inference(estimates, errors, covariance="classic", bias=True):
    """`inference` as `metrics.json` has it; t, p and the intervals are made up where the tests do not look at them."""
    names = [*(name for name in estimates if name != "bias"), *(["bias"] if bias else [])]
    coefficients = {
        name: {
            "estimate": estimates[name], "std_err": errors[name], "std_err_hc3": 2 * errors[name],
            "t": estimates[name] / errors[name], "p": 1e-40, "vif": None if name == "bias" else 1.25,
            "ci_low": estimates[name] - 2 * errors[name], "ci_high": estimates[name] + 2 * errors[name],
        }
        for name in names
    }  # fmt: skip
    fit = {"residual_std": 2.5, "r2": 0.9, "r2_adjusted": 0.89, "r2_definition": "centred" if bias else "uncentred",
           "f": 1234.5, "f_p": 1e-100, "aic": 10.0, "bic": 12.0, "durbin_watson": 2.0, "n": 100}  # fmt: skip
    return {"coefficients": coefficients, **fit, "covariance": covariance}


def record(*targets, transform="none", columns=()):
    return {"data": {"targets": list(targets), "columns": list(columns)}, "target_transform": transform}


def parameters(values):
    return {"weights": {name: value for name, value in values.items() if name != "bias"}, "bias": values.get("bias")}


EXACT = {"wt": -3.5, "hp": -0.03, "bias": 37.0}
ERRORS = {"wt": 0.25, "hp": 0.0125, "bias": 1.5}


def at_optimum(covariance="classic"):
    return {
        "parameters": parameters(EXACT),
        "optimum": {"parameters": parameters(EXACT), "is_unique": True, "inference": inference(EXACT, ERRORS),
                    "distance": parameters(dict.fromkeys(EXACT, 1e-9))},
        "inference": inference(EXACT, ERRORS, covariance),
    }  # fmt: skip


def away(**changes):
    trained = {name: value + 2 * ERRORS[name] for name, value in EXACT.items()}
    metrics = at_optimum()
    metrics["optimum"]["distance"] = parameters(dict.fromkeys(EXACT, 2.0))
    return {
        **metrics,
        "parameters": parameters(trained),
        "inference": {"refused": "it is not at the optimum"},
        **changes,
    }


def cells(text, label):
    [line] = [line for line in text.splitlines() if line.strip().startswith(label + " ")]
    return line.strip().removeprefix(label).split()


def test_at_the_optimum_the_statistics_are_those_of_the_trained_model():
    text = coefficients_text(at_optimum(), record("mpg"))
    assert text.startswith("mpg, in original units, with classic standard errors:\n")
    assert cells(text, "wt") == ["-3.5000", "0.2500", "-4.0000", "-3.0000", "<0.0001"]
    assert cells(text, "(bias)") == ["37.000", "1.500", "34.000", "40.000", "<0.0001"]
    assert "distance" not in text
    assert "exact" not in text
    assert "  residual standard error 2.5 on 97 degrees of freedom\n" in text
    assert "  R2 0.9, adjusted 0.89; F(2, 97) = 1,234.5, p <0.0001" in text


def test_robust_errors_are_shown_and_named_where_the_run_asks_for_them():
    text = coefficients_text(at_optimum("HC3"), record("mpg"), details=True)
    assert text.startswith("mpg, in original units, with HC3 (robust) standard errors:\n")
    assert [line.split()[2] for line in text.splitlines() if line.startswith("  wt ")] == ["0.5000", "0.2500"]
    assert "classic std err" in text


def test_away_from_the_optimum_they_are_those_of_the_exact_fit_and_say_so():
    [table] = coefficient_tables(away(), ["mpg"])
    assert (table.of, table.refused) == ("exact", "it is not at the optimum")
    text = coefficients_text(away(), record("mpg"))
    assert text.startswith("mpg, in original units, with classic standard errors of the exact fit:\n")
    assert cells(text, "wt") == ["-3.0000", "-3.5000", "0.2500", "-4.0000", "-3.0000", "<0.0001", "2.00"]
    assert text.splitlines()[1].split() == [
        "trained", "exact", "std", "err", "95", "%", "interval", "p", "distance",
    ]  # fmt: skip
    assert "distance: (trained - exact) / standard error" in text
    assert "exact fit: residual standard error 2.5" in text
    assert "none of these are statistics of the trained model: it is not at the optimum" in text
    assert "it is not at the optimum" not in coefficients_text(away(), record("mpg"), reasons=False)


@pytest.mark.parametrize(("distance", "shown"), [(0.0099, False), (-0.01, True), (0.3, True)])
def test_a_distance_is_shown_from_a_hundredth_of_a_standard_error_on(distance, shown):
    metrics = away()
    metrics["optimum"]["distance"] = parameters({"wt": distance, "hp": 0.0, "bias": 1e-12})
    [table] = coefficient_tables(metrics, ["mpg"])
    assert ("distance" in shown_columns(table, table.rows)) is shown


def test_without_any_inference_there_are_estimates_and_one_reason():
    metrics = away()
    metrics["optimum"] = {"parameters": parameters(EXACT), "is_unique": True, "inference": {"refused": "n = p"}}
    text = coefficients_text(metrics, record("mpg"), reasons=False)
    assert cells(text, "hp") == ["-0.005", "-0.03"]
    assert text.count("no standard errors: it is not at the optimum") == 1
    assert "std err" not in text


def test_a_run_of_an_older_version_says_so():
    text = coefficients_text({"parameters": parameters(EXACT)}, {"data": {"targets": ["mpg"]}})
    assert cells(text, "wt") == ["-3.5"]
    assert "no standard errors: the run was trained by an older version of linreg" in text


def test_of_several_optima_none_stands_beside_the_estimates():
    metrics = away()
    metrics["optimum"] |= {"is_unique": False, "inference": {"refused": "not unique"}, "distance": None}
    assert cells(coefficients_text(metrics, record("mpg")), "wt") == ["-3"]


def test_several_targets_have_a_block_each():
    one = at_optimum()
    metrics = {
        "parameters": {key: {"a": one["parameters"][key], "b": one["parameters"][key]} for key in ("weights", "bias")},
        "optimum": {"parameters": None},
        "inference": {"a": inference(EXACT, ERRORS), "b": inference(EXACT, ERRORS)},
    }
    text = coefficients_text(metrics, record("a", "b", transform="log"))
    titles = [line for line in text.splitlines() if line.endswith(":")]
    assert titles == [f"log of {name}, in units of the features, with classic standard errors:" for name in "ab"]


def test_without_an_intercept_r2_says_which_it_is():
    metrics = at_optimum()
    values = {"wt": 1.0, "hp": 2.0}
    metrics |= {"parameters": parameters(values), "inference": inference(values, ERRORS, bias=False)}
    text = coefficients_text(metrics, record("mpg"))
    assert "R2 (uncentred) 0.9, adjusted 0.89; F(2, 98)" in text
    assert "(bias)" not in text


def test_the_reference_level_of_each_category_is_said_once():
    columns = [{"column": "city", "reference": "Berlin"}, {"column": "x"}, {"column": "cyl", "reference": "eight"}]
    assert "\n  city: reference level Berlin" in coefficients_text(at_optimum(), record("mpg", columns=columns[:2]))
    text = coefficients_text(at_optimum(), record("mpg", columns=columns))
    assert text.count("reference levels: city=Berlin, cyl=eight") == 1


@pytest.mark.parametrize("scale", [1e-9, 1e-4, 1.0, 1e5, 1e9])
@pytest.mark.parametrize("make", [at_optimum, away])
def test_the_table_is_at_most_eighty_columns_wide_at_every_scale(make, scale):
    metrics = make()
    for found in (metrics["inference"], metrics["optimum"]["inference"]):
        for values in found.get("coefficients", {}).values():
            for key in ("estimate", "std_err", "std_err_hc3", "ci_low", "ci_high"):
                values[key] *= scale
    metrics["parameters"] = parameters({name: value * scale * 1.1 for name, value in EXACT.items()})
    text = coefficients_text(metrics, record("mpg"), details=True, reasons=False)
    assert max(map(text_width, text.splitlines())) <= 80
    if scale <= 1:
        rows = text.splitlines()[2:5]
        assert len({line.index(".") for line in rows}) == 1, rows  # the marks of the first column


def test_names_that_are_too_long_stand_on_lines_of_their_own_whole():
    names = [
        "Neighborhood=A very long name that differs at its end 1",
        "Neighborhood=A very long name that differs at 2",
    ]
    values, errors = (
        {names[0]: 1.0, names[1]: 2.0, "城市=東京": 3.0, "bias": 0.5},
        dict.fromkeys([*names, "城市=東京", "bias"], 0.1),
    )
    metrics = {"parameters": parameters(values), "inference": inference(values, errors)}
    lines = coefficients_text(metrics, record("mpg")).splitlines()
    for name in names:
        at = lines.index(f"  {name}")
        assert lines[at + 1].split()[1] == "0.1000"
    assert max(map(text_width, lines)) <= 80
    bodies = [line for line in lines if line.endswith(" <0.0001") and "F(" not in line]
    assert len({text_width(line) for line in bodies}) == 1


def test_a_hundred_coefficients_and_the_bias_are_shown_and_the_rest_is_counted():
    values = {**{f"x{j}": 1.0 for j in range(250)}, "bias": 2.0}
    metrics = {"parameters": parameters(values), "inference": inference(values, dict.fromkeys(values, 0.1))}
    text = coefficients_text(metrics, record("y"))
    assert "  x99 " in text
    assert "  x100 " not in text
    assert "  (bias) " in text
    assert "  ... and 150 more; metrics.json has them all" in text


def test_many_targets_are_counted_too():
    targets = [f"t{k}" for k in range(80)]
    each = parameters(EXACT)
    metrics = {
        "parameters": {key: dict.fromkeys(targets, each[key]) for key in ("weights", "bias")},
        "inference": {"refused": "why not"},
    }
    text = coefficients_text(metrics, record(*targets))
    assert "t33, in original units:" in text
    assert "t34, in original units:" not in text
    assert "... and 46 more targets; metrics.json has them all" in text


def test_a_run_shows_the_numbers_of_statsmodels(linreg, tmp_path):
    import statsmodels.api as sm

    rng = np.random.default_rng(3)
    table = np.column_stack([rng.normal(5, 2, 60), rng.normal(-1, 0.01, 60)]).round(4)
    y = (1.5 * table[:, 0] - 20 * table[:, 1] + rng.normal(0, 1, 60)).round(4)
    rows = [f"{a},{b},{'uvw'[k % 3]},{c}" for k, ((a, b), c) in enumerate(zip(table.tolist(), y.tolist(), strict=True))]
    (tmp_path / "t.csv").write_text("\n".join(["a,b,kind,y", *rows]) + "\n")
    (tmp_path / "t.yaml").write_text(
        "data: {path: t.csv, target: y}\npreprocess: {standardize: true, categorical: one_hot}\nplots: false\n"
        "optimizer: {lr: auto, momentum: auto}\ntrain: {epochs: 300, batch_size: full, dtype: float64}\n"
    )
    shown = {"train": linreg("train", "-c", "t.yaml").out}
    shown |= {"evaluate": linreg("evaluate", "latest").out, "runs show": linreg("runs", "show", "latest").out}
    indicators = np.array([[k % 3 == 1, k % 3 == 2] for k in range(60)], dtype=float)
    fit = sm.OLS(y, sm.add_constant(np.column_stack([table, indicators]))).fit()
    interval = fit.conf_int()
    for command, text in shown.items():
        for position, label in enumerate(["(bias)", "a", "b", "kind=v", "kind=w"]):
            line = next(line for line in text.splitlines() if line.strip().startswith(f"{label} "))
            *found, p = line.strip().removeprefix(label).split()
            expected = [fit.params[position], fit.bse[position], *interval[position]]
            unit = 10.0 ** (np.floor(np.log10(fit.bse[position])) - 3)
            assert [float(cell.replace(",", "")) for cell in found] == pytest.approx(expected, abs=0.51 * unit), command
            assert (
                p == "<0.0001"
                if fit.pvalues[position] < 1e-4
                else float(p) == pytest.approx(fit.pvalues[position], abs=6e-5)
            )
        assert "kind: reference level u" in text
        assert f"F(4, 55) = {fit.fvalue:.2f}"[:14] in text


def test_a_distance_is_shown_from_where_inference_is_refused_on():
    assert SHOWN_DISTANCE == NEAR


def test_coefficients_of_wide_magnitudes_stand_in_one_table_of_80_columns():
    exact = {"sqft_lot": 5.8e-7, "zipcode=98002": -0.2063, "yr_built": -1234.5, "bias": 37.0}
    errors = {"sqft_lot": 4.75e-8, "zipcode=98002": 0.0185, "yr_built": 12.25, "bias": 1.5}
    metrics = {
        "parameters": parameters({name: value + 2 * errors[name] for name, value in exact.items()}),
        "optimum": {"parameters": parameters(exact), "is_unique": True, "inference": inference(exact, errors),
                    "distance": parameters(dict.fromkeys(exact, 2.0))},
        "inference": {"refused": "it is not at the optimum"},
    }  # fmt: skip
    lines = coefficients_text(metrics, record("price")).splitlines()
    assert max(map(len, lines)) <= 80
    assert [sum(name in line for line in lines) for name in exact] == [1, 1, 1, 1]
    assert "  interval: about the exact estimate (metrics.json has it)" in lines
    row = next(line for line in lines if "zipcode=98002" in line).split()
    assert float(row[1]) == pytest.approx(-0.1693, abs=1e-3)
    assert row[-1] == "2.00"
