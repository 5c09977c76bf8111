"""`SGDLinearRegression` is an estimator as scikit-learn checks them, and trains as a run does."""

import pickle
import re
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import estimator_checks_generator

import linreg_cli
from linreg_cli.errors import ConfigError, DataError, DivergedError
from linreg_cli.estimator import SGDLinearRegression
from linreg_cli.model import LinearFormula

X, Y = load_diabetes(return_X_y=True)
X, Y = X[:150], Y[:150]
WEIGHTS = np.random.default_rng(0).integers(0, 4, len(Y))

#: All that `parametrize_with_checks` has, but the one of array libraries, which the estimator does not claim to take.
CHECKS = [
    check
    for _, check in estimator_checks_generator(SGDLinearRegression())
    if check.func.__name__ != "check_array_api_input"
]
NAMES = [f"{position}-{check.func.__name__}" for position, check in enumerate(CHECKS)]


@pytest.mark.parametrize("check", CHECKS, ids=NAMES)
def test_scikit_learns_own_check(check):
    check(SGDLinearRegression())


def test_the_checks_are_all_there():
    """53 of them in scikit-learn 1.6, and none is expected to fail."""
    assert len(CHECKS) >= 50
    assert SGDLinearRegression().__sklearn_tags__().target_tags.multi_output


def test_the_defaults_reach_least_squares():
    """Against scikit-learn's own solver, on the diabetes table."""
    model, exact = SGDLinearRegression().fit(X, Y), LinearRegression().fit(X, Y)
    np.testing.assert_allclose(model.coef_, exact.coef_, rtol=1e-9)
    assert model.intercept_ == pytest.approx(exact.intercept_, rel=1e-12)
    assert (model.n_iter_, len(model.loss_curve_)) == (1000, 1001)
    assert 0 < model.momentum_ < 1


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"epochs": 3},
        {"epochs": 3, "loss": "sse", "momentum": 0.5},
        {"epochs": 3, "loss": "half_mse", "fit_intercept": False},
        {"epochs": 20, "standardize": False, "weight_decay": 0.1},
        {"epochs": 20, "nesterov": True, "momentum": 0.9, "schedule": {"kind": "cosine", "T_max": 20}},
    ],
)
def test_an_integer_weight_is_so_many_rows_after_any_number_of_steps(settings):
    weighted = SGDLinearRegression(**settings).fit(X, Y, sample_weight=WEIGHTS)
    repeated = SGDLinearRegression(**settings).fit(np.repeat(X, WEIGHTS, axis=0), np.repeat(Y, WEIGHTS))
    np.testing.assert_allclose(weighted.loss_curve_[1:4], repeated.loss_curve_[1:4], rtol=1e-10)
    np.testing.assert_allclose(weighted.predict(X), repeated.predict(X), rtol=0, atol=1e-11 * Y.std())


def test_equal_weights_are_repeated_rows_also_for_a_loss_that_is_a_sum():
    for loss in ("sse", "mse"):
        settings = {"loss": loss, "epochs": 3, "lr": 1e-4, "momentum": 0.0}
        weighted = SGDLinearRegression(**settings).fit(X, Y, sample_weight=np.full(len(X), 2.0))
        repeated = SGDLinearRegression(**settings).fit(np.repeat(X, 2, axis=0), np.repeat(Y, 2))
        np.testing.assert_allclose(weighted.loss_curve_, repeated.loss_curve_, rtol=1e-10)


def test_weights_that_are_no_integers_are_those_of_weighted_least_squares():
    found = SGDLinearRegression().fit(X, Y, sample_weight=WEIGHTS + 0.3)
    exact = LinearRegression().fit(X, Y, sample_weight=WEIGHTS + 0.3)
    np.testing.assert_allclose(found.coef_, exact.coef_, rtol=1e-8)
    assert found.intercept_ == pytest.approx(exact.intercept_, rel=1e-10)


def test_a_weight_of_0_is_a_removed_row_for_any_loss_and_batch():
    used = WEIGHTS > 0
    settings = {"loss": "huber", "batch_size": 16, "epochs": 3, "momentum": 0.0}
    some = SGDLinearRegression(**settings).fit(X, Y, sample_weight=3.0 * used)
    assert np.array_equal(some.coef_, SGDLinearRegression(**settings).fit(X[used], Y[used]).coef_)


def test_weights_of_another_loss_stand_for_repeated_rows_too():
    settings = {"loss": "huber", "lr": 0.1, "epochs": 40}
    weighted = SGDLinearRegression(**settings).fit(X, Y, sample_weight=WEIGHTS)
    repeated = SGDLinearRegression(**settings).fit(np.repeat(X, WEIGHTS, axis=0), np.repeat(Y, WEIGHTS, axis=0))
    np.testing.assert_allclose(weighted.coef_, repeated.coef_, rtol=1e-9)


def test_mini_batches_have_the_weights_of_their_rows():
    """At a falling rate, mini-batches end near the weighted optimum; the unweighted one is farther away."""
    few, settings = (
        X[:, 2:4],
        {"batch_size": 10, "epochs": 200, "lr": 0.02, "schedule": {"kind": "cosine", "T_max": 200}},
    )
    weighted = SGDLinearRegression(**settings).fit(few, Y, sample_weight=WEIGHTS).predict(few)
    exact, plain = (LinearRegression().fit(few, Y, sample_weight=each).predict(few) for each in (WEIGHTS, None))
    assert np.abs(weighted - exact).max() < 0.1 * np.abs(plain - exact).max()


def test_predictions_are_the_bits_of_the_formula():
    model = SGDLinearRegression(epochs=5).fit(X, Y)
    names = tuple(map(str, range(X.shape[1])))
    formula = LinearFormula(names, ("y",), model.coef_[:, None], np.array([model.intercept_]))
    columns = {name: X[:, position] for position, name in enumerate(names)}
    assert np.array_equal(model.predict(X), formula.predict(columns)[:, 0])
    assert [model.predict(row[None])[0] for row in X[:20]] == model.predict(X[:20]).tolist()


def test_it_is_the_model_of_a_run_with_the_same_settings(tmp_path):
    frame = pd.DataFrame(X, columns=[f"x{position}" for position in range(X.shape[1])]).assign(y=Y)
    config = {
        "data": {"target": "y", "split": {"shuffle": False}},
        "seed": 5,
        "preprocess": {"standardize": True},
        "optimizer": {"lr": "auto", "momentum": 0.3},
        "train": {"epochs": 4, "batch_size": 20, "dtype": "float64"},
        "plots": False,
    }
    run = linreg_cli.train(config, data=frame, outputs=tmp_path)
    model = SGDLinearRegression(momentum=0.3, epochs=4, batch_size=20, random_state=5)
    model.fit(frame.drop(columns="y"), frame["y"])
    assert run.metrics["parameters"]["weights"] == dict(zip(model.feature_names_in_, model.coef_, strict=True))
    assert run.metrics["parameters"]["bias"] == model.intercept_
    assert run.config["optimizer"]["lr"] == model.lr_
    assert np.array_equal(run.predict(frame)["prediction"], model.predict(frame.drop(columns="y")))


def test_searches_pipelines_and_copies():
    pipeline = make_pipeline(StandardScaler(), SGDLinearRegression(standardize=False))
    pipeline.set_output(transform="pandas")
    frame = pd.DataFrame(X, columns=[f"列{position}" for position in range(X.shape[1])])
    search = GridSearchCV(pipeline, {"sgdlinearregression__weight_decay": [0.0, 10.0]}, cv=3).fit(frame, Y)
    assert search.best_params_ == {"sgdlinearregression__weight_decay": 0.0}
    best = search.best_estimator_
    assert best[-1].feature_names_in_.tolist() == list(frame.columns)
    expected = cross_val_score(LinearRegression(), X, Y, cv=3).mean()
    assert search.best_score_ == pytest.approx(expected, rel=1e-3)
    assert np.array_equal(pickle.loads(pickle.dumps(best)).predict(frame), best.predict(frame))
    assert clone(best).get_params()["sgdlinearregression__standardize"] is False


def test_several_targets_have_a_row_each():
    model = SGDLinearRegression().fit(X, np.column_stack([Y, -2 * Y]))
    assert (model.coef_.shape, model.intercept_.shape, model.predict(X).shape) == ((2, 10), (2,), (150, 2))
    np.testing.assert_allclose(model.coef_[1], -2 * model.coef_[0], rtol=1e-7)
    column = SGDLinearRegression(fit_intercept=False).fit(X, Y[:, None], sample_weight=WEIGHTS)
    assert (column.coef_.shape, column.intercept_.tolist()) == ((1, 10), [0.0])


def test_all_parameters_that_are_wrong_are_reported_at_once():
    with pytest.raises(ConfigError) as error:
        SGDLinearRegression(lr="high", epochs=-1, loss="mea", schedule={"kind": "cosine"}).fit(X, Y)
    assert len(error.value.faults) == 4
    assert "the parameters: lr: expected a number or auto" in str(error.value)
    with pytest.raises(ConfigError, match=r"dtype: a type is no value of a config"):
        SGDLinearRegression(dtype=np.float32).fit(X, Y)


def test_what_diverges_or_overflows_is_an_error_that_names_the_column():
    frame = pd.DataFrame(X.copy(), columns=[f"列{position}" for position in range(X.shape[1])])
    with pytest.raises(DivergedError, match="列"):
        SGDLinearRegression(lr=1e9, momentum=0.0).fit(frame, Y)
    frame.iloc[2, 4] = 1e300
    with pytest.raises(DataError, match="row 3, column '列4'"):
        SGDLinearRegression(dtype="float32", standardize=False, lr=1e-9, momentum=0.0).fit(frame, Y)


def test_the_epoch_in_which_training_diverged_is_that_of_a_run(tmp_path):
    """With this decay each step multiplies the weights by -9; the loss is infinite within an epoch."""
    data = {"x": X[:20, 0], "y": Y[:20]}
    settings = {"lr": 10.0, "momentum": 0.0, "weight_decay": 1.0}
    train = {"batch_size": 5, "epochs": 200, "dtype": "float64"}
    config = {"data": {"target": "y"}, "loss": "mae", "optimizer": settings, "train": train, "plots": False}
    with pytest.raises(DivergedError, match=r"\(epoch (\d+)\)") as run:
        linreg_cli.train(config, {"preprocess.standardize": True}, data=data, outputs=tmp_path)
    [epoch] = re.findall(r"\(epoch (\d+)\)", str(run.value))
    with pytest.raises(DivergedError, match=f"diverged in epoch {epoch}\\."):
        SGDLinearRegression(loss="mae", **settings, **train).fit(X[:20, :1], Y[:20])


def test_names_that_the_columns_have_already_are_no_target_and_no_intercept():
    frame = pd.DataFrame(X[:, :3], columns=["y0", "intercept", "y0_"])
    model = SGDLinearRegression().fit(frame, Y, sample_weight=WEIGHTS)
    exact = LinearRegression().fit(frame, Y, sample_weight=WEIGHTS)
    np.testing.assert_allclose(model.coef_, exact.coef_, rtol=1e-9)


def test_the_seed_is_a_number_or_comes_from_numpys_state():
    settings = {"epochs": 1, "batch_size": 10, "lr": 0.01, "momentum": 0.0}

    def coefficients(seed):
        return SGDLinearRegression(**settings, random_state=seed).fit(X, Y).coef_.tolist()

    assert coefficients(0) == coefficients(0) != coefficients(1)
    before = np.random.get_state()[1].tolist()
    coefficients(3)
    assert np.random.get_state()[1].tolist() == before
    assert coefficients(np.random.RandomState(3)) == coefficients(np.random.RandomState(3)) != coefficients(3)


def test_without_scikit_learn_the_import_says_what_to_install(monkeypatch):
    monkeypatch.delitem(sys.modules, "linreg_cli.estimator")
    monkeypatch.setitem(sys.modules, "sklearn.base", None)
    with pytest.raises(ImportError, match=r"needs scikit-learn 1.6 or later: pip install 'linreg\[sklearn\]'"):
        linreg_cli.SGDLinearRegression  # noqa: B018
