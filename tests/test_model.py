"""How parameters start, and how the trained layer folds into original units."""

import numpy as np
import pytest
import torch
from scipy import stats

from linreg_cli.config.schema import InitConfig, PreprocessConfig
from linreg_cli.data.dataset import Dataset
from linreg_cli.data.preprocessor import Preprocessor
from linreg_cli.errors import SettingError
from linreg_cli.model import LinearFormula, build_model, fold, initialise, linear_layer


def initialised(init: dict, *, features: int = 3, targets: int = 1, seed: int = 0, bias: bool = True):
    model = build_model(features, targets, bias=bias, dtype=torch.float64)
    initialise(model, InitConfig.model_validate(init), seed)
    return linear_layer(model)


def test_a_number_is_every_parameter():
    layer = initialised({"weight": 1.5, "bias": -2}, targets=2)
    assert layer.weight.tolist() == [[1.5] * 3] * 2
    assert layer.bias.tolist() == [-2.0, -2.0]


def test_a_list_is_one_number_each_target_by_target():
    layer = initialised({"weight": [1, 2, 3, 4, 5, 6], "bias": [7, 8]}, targets=2)
    assert layer.weight.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert layer.bias.tolist() == [7, 8]


@pytest.mark.parametrize(
    ("init", "message"),
    [
        ({"weight": [1, 2]}, r"^model\.init\.weight: 2 values for 3 parameters$"),
        ({"weight": [1, 2, 3, 4]}, r"^model\.init\.weight: 4 values for 3 parameters$"),
        ({"weight": 0, "bias": [1, 2]}, r"^model\.init\.bias: 2 values for 1 parameters$"),
    ],
)
def test_a_list_of_another_length_is_refused(init, message):
    with pytest.raises(SettingError, match=message):
        initialised(init)


@pytest.mark.parametrize(
    ("start", "distribution"),
    [
        ({"normal": [3.0, 0.5]}, stats.norm(3.0, 0.5)),
        ({"uniform": [-1.0, 5.0]}, stats.uniform(-1.0, 6.0)),
    ],
)
def test_random_starts_have_their_distribution(start, distribution):
    """Kolmogorov-Smirnov on 10,000 values of one seed: a p-value above 1e-4, where a wrong scale gives about 1e-100."""
    values = initialised({"weight": start}, features=10_000).weight.detach().numpy().ravel()
    assert stats.kstest(values, distribution.cdf).pvalue > 1e-4


def test_random_starts_follow_the_seed_and_leave_torch_alone():
    init = {"weight": {"normal": [0, 1]}, "bias": {"uniform": [0, 1]}}
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = initialised(init)
    torch.manual_seed(2)
    again, other = initialised(init), initialised(init, seed=1)
    assert torch.equal(first.weight, again.weight)
    assert torch.equal(first.bias, again.bias)
    assert not torch.equal(first.weight, other.weight)
    assert first.bias.item() != other.bias.item()
    torch.manual_seed(1)
    initialised(init)
    assert torch.equal(torch.get_rng_state(), before)


def test_float32_starts_are_the_float64_ones_rounded():
    single = build_model(4, 1, bias=True, dtype=torch.float32)
    initialise(single, InitConfig(), 5)
    double = initialised({}, features=4, seed=5)
    assert torch.equal(linear_layer(single).weight, double.weight.float())


def make_dataset(n_features: int = 3, n_targets: int = 1, n_samples: int = 50) -> Dataset:
    stream = np.random.default_rng(4)
    features = tuple(f"x{j}" for j in range(n_features))
    targets = tuple(f"y{k}" for k in range(n_targets))
    columns = {name: stream.normal(10.0 ** (j + 1), 10.0**j, n_samples) for j, name in enumerate((*features, *targets))}
    rows = np.arange(n_samples)
    return Dataset("rows", features, targets, columns, {"train": rows[:40], "validation": rows[:0], "test": rows[40:]})


def trained(dataset: Dataset, *, bias: bool, dtype: torch.dtype = torch.float64):
    model = build_model(len(dataset.features), len(dataset.targets), bias=bias, dtype=dtype)
    initialise(model, InitConfig.model_validate({"weight": {"normal": [0, 1]}, "bias": 0.7 if bias else 0.0}), 3)
    return model


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("n_targets", [1, 2])
def test_fold_keeps_every_bit_where_nothing_is_scaled(dtype, bias, n_targets):
    dataset = make_dataset(n_targets=n_targets)
    model = trained(dataset, bias=bias, dtype=dtype)
    formula = fold(model, Preprocessor.fit(dataset, PreprocessConfig(), bias=bias))
    layer = linear_layer(model)
    assert formula.weights.tolist() == layer.weight.detach().double().T.tolist()
    assert (formula.bias is None) is not bias
    if bias:
        assert formula.bias.tolist() == layer.bias.detach().double().tolist()


@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("standardize_target", [True, False])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("n_targets", [1, 3])
def test_fold_is_standardise_predict_and_undo(standardize, standardize_target, bias, n_targets):
    dataset = make_dataset(n_targets=n_targets)
    config = PreprocessConfig(standardize=standardize, standardize_target=standardize_target)
    preprocessor, model = Preprocessor.fit(dataset, config, bias=bias), trained(dataset, bias=bias)
    with torch.no_grad():
        output = model(preprocessor.features.tensor(dataset, slice(None), torch.float64)).numpy()
    expected = output * preprocessor.targets.scale + preprocessor.targets.center
    formula = fold(model, preprocessor)
    assert (formula.bias is None) is not bias
    # Numbers up to 1e4 (the columns' size) cancel, in about 10 operations: 10 x 1e4 x eps = 2e-11, times the scale.
    scale = max(1.0, float(preprocessor.targets.scale.max()))
    np.testing.assert_allclose(formula.predict(dataset.columns), expected, rtol=0, atol=2e-11 * scale)


def test_without_a_bias_the_fold_goes_through_the_origin():
    dataset = make_dataset()
    config = PreprocessConfig(standardize=True, standardize_target=True)
    formula = fold(trained(dataset, bias=False), Preprocessor.fit(dataset, config, bias=False))
    assert formula.bias is None
    zeros = {name: np.zeros(1) for name in dataset.features}
    assert formula.predict(zeros).tolist() == [[0.0]]


def test_a_column_that_is_constant_in_training_gets_weight_zero():
    dataset = make_dataset()
    dataset.columns["x1"][dataset.splits["train"]] = 0.1  # the mean of forty times 0.1 is not 0.1
    preprocessor = Preprocessor.fit(dataset, PreprocessConfig(standardize=True), bias=True)
    model = trained(dataset, bias=True)
    formula = fold(model, preprocessor)
    assert formula.weights[1, 0] == 0.0
    assert (formula.weights[[0, 2], 0] != 0).all()
    # It varies in the test split, and the trained layer does not see that either.
    test = dataset.splits["test"]
    with torch.no_grad():
        output = model(preprocessor.features.tensor(dataset, test, torch.float64)).numpy()
    chosen = {name: values[test] for name, values in dataset.columns.items()}
    np.testing.assert_allclose(formula.predict(chosen), output, rtol=0, atol=2e-11)


def test_one_row_alone_is_predicted_with_the_bits_it_has_among_others():
    stream = np.random.default_rng(0)
    features = tuple(f"x{j}" for j in range(20))
    columns = {name: stream.normal(0, 10.0 ** (j % 7), 300) for j, name in enumerate(features)}
    formula = LinearFormula(features, ("a", "b"), stream.normal(size=(20, 2)), stream.normal(size=2))
    together = formula.predict(columns)
    alone = np.concatenate([formula.predict({k: v[row : row + 1] for k, v in columns.items()}) for row in range(300)])
    assert together.tobytes() == alone.tobytes()
    matrix = np.column_stack(list(columns.values()))
    np.testing.assert_allclose(together, matrix @ formula.weights + formula.bias, rtol=1e-10, atol=1e-7)
