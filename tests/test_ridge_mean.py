"""The ridge path shrinks the mean just where SGD's weight decay would, and says so."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from linreg_cli.least_squares.factorise import factorise
from linreg_cli.least_squares.resampling import ridge_path


@pytest.fixture
def table(tmp_path):
    rng = np.random.default_rng(2)
    X = rng.normal(size=(15, 4)) * [1, 5, 0.2, 1] + [3, 0, 1, 50]
    y = 100 + X @ [1.0, 0.2, 0.0, 0.1] + 3 * rng.normal(size=15)
    np.savetxt(tmp_path / "t.csv", np.column_stack([X, y]), delimiter=",", header="a,b,c,d,y", comments="", fmt="%.17g")
    return X, y


@pytest.mark.parametrize("decay", [1e-3, 0.1, 10.0])
def test_an_unpenalised_bias_is_that_of_scikit_learn(table, decay):
    X, y = table
    path = ridge_path(factorise(X, y[:, None], bias=True), X, y[:, None], [decay], penalise_bias=False)
    alpha = len(y) * decay / 2  # mse + wd / 2 |w|^2 is (sum of squares + (n wd / 2) |w|^2) / n
    fit = Ridge(alpha).fit(X, y)
    assert path.weights[0, :, 0] == pytest.approx(fit.coef_, rel=1e-8)
    assert path.bias[0, 0] == pytest.approx(fit.intercept_, rel=1e-8)
    errors = [
        y[i] - Ridge(alpha).fit(np.delete(X, i, 0), np.delete(y, i)).predict(X[i : i + 1])[0] for i in range(len(y))
    ]
    assert path.leave_one_out[0] == pytest.approx(np.mean(np.square(errors)), rel=1e-8)


def inspected(linreg, tmp_path, preprocess: str, more: str = "") -> tuple[dict, str]:
    (tmp_path / "c.yaml").write_text(f"data: {{path: t.csv, target: y}}\npreprocess: {{{preprocess}}}\n{more}")
    text = " ".join(linreg("inspect", "-c", "c.yaml", "--ridge").out.split())
    return linreg("inspect", "-c", "c.yaml", "--ridge", "--json").json["ridge"], text


def test_of_standardised_columns_and_target_the_mean_stays(linreg, tmp_path, table):
    X, y = table
    ridge, text = inspected(linreg, tmp_path, "standardize: true, standardize_target: true")
    assert ridge["shrinks_mean"] is False
    assert ridge["mean_prediction"] == pytest.approx(ridge["mean_target"], abs=1e-12)
    assert "the columns are centred, so the mean prediction stays" in text
    scaled, target = (X - X.mean(0)) / X.std(0), (y - y.mean()) / y.std()
    step = ridge["path"][20]
    fit = Ridge(len(y) * step["weight_decay"] / 2).fit(scaled, target)
    assert [w[0] for w in step["weights"].values()] == pytest.approx(fit.coef_, rel=1e-8)


def test_of_columns_as_given_it_shrinks_as_torchs_does(linreg, tmp_path, table):
    X, y = table
    ridge, text = inspected(linreg, tmp_path, "standardize: true")
    assert ridge["shrinks_mean"] is True
    assert "weight_decay shrinks the bias too, as in torch, and so the mean prediction" in text
    step = ridge["path"][20]
    A = np.column_stack([(X - X.mean(0)) / X.std(0), np.ones(len(y))])
    fit = Ridge(len(y) * step["weight_decay"] / 2, fit_intercept=False).fit(A, y)
    assert [*(w[0] for w in step["weights"].values()), step["bias"][0]] == pytest.approx(fit.coef_, rel=1e-8)
    best = next(step for step in ridge["path"] if step["weight_decay"] == ridge["best"]["weight_decay"])
    assert ridge["mean_prediction"][0] == pytest.approx(best["bias"][0], rel=1e-9)  # of centred columns
    assert ridge["mean_prediction"][0] < ridge["mean_target"][0] == pytest.approx(y.mean(), rel=1e-12)


def test_without_a_bias_there_is_nothing_to_say(linreg, tmp_path, table):
    ridge, text = inspected(linreg, tmp_path, "standardize: true", "model: {bias: false}\n")
    assert ridge["shrinks_mean"] is False
    assert "shrinks the bias" not in text
