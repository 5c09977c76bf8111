"""`linreg explain`: the first steps as one would write them on paper."""

import numpy as np
import pytest
import torch
from conftest import CONFIGS

from linreg_cli.evaluate.explain import AGREEMENT, explain
from linreg_cli.model import build_model
from linreg_cli.optim.losses import Loss
from linreg_cli.optim.plan import StepPlan
from linreg_cli.optim.state import TrainingState


def test_the_published_first_step(linreg):
    # The teaching system's own figures: loss 29, gradient (-40, -18), then w = 1.4, b = 0.18 and loss 12.9612.
    result = linreg("explain", "-c", CONFIGS / "points.yaml")
    assert result.code == 0
    for figure in ("4 + 9 + 16 = 29", "-40", "-18", "= 1.4\n", "= 0.18\n", "12.9612"):
        assert figure in result.out


def test_json_holds_each_step(linreg):
    first, second = linreg("explain", "-c", CONFIGS / "points.yaml", "--steps", "2", "--json").json
    assert {"loss", "gradient", "parameters", "next_loss"} <= set(first)
    for way in ("autograd", "formula", "finite_difference"):
        assert first["gradient"][way] == {
            "weights": {"x": pytest.approx(-40, rel=1e-9)},
            "bias": pytest.approx(-18, rel=1e-9),
        }
    assert first["parameters"] == {
        "weights": {"x": pytest.approx(1.4, rel=1e-15)},
        "bias": pytest.approx(0.18, rel=1e-15),
    }
    assert (first["loss"], first["next_loss"], second["loss"]) == (29, pytest.approx(12.9612), first["next_loss"])


def test_steps_are_those_of_training(linreg, tmp_path):
    options = ("--set", "optimizer.momentum=0.9", "--set", "optimizer.weight_decay=0.1", "--set", "train.epochs=4")
    steps = linreg("explain", "-c", CONFIGS / "points.yaml", "--steps", "4", "--json", *options).json
    assert linreg("train", "-c", CONFIGS / "points.yaml", "--set", "plots=false", *options).code == 0
    history = (tmp_path / "outputs" / "points-0001" / "history.csv").read_text().splitlines()
    trained = [tuple(float(cell) for cell in line.split(",")[-2:]) for line in history[2:]]
    assert [(step["parameters"]["weights"]["x"], step["parameters"]["bias"]) for step in steps] == trained


def a_step(loss: Loss, *, n_targets: int = 1, bias: bool = True):
    generator = torch.Generator().manual_seed(7)
    X = torch.randn(5, 3, generator=generator, dtype=torch.float64)
    y = torch.randn(5, n_targets, generator=generator, dtype=torch.float64) * 3
    model = build_model(3, n_targets, bias=bias, dtype=torch.float64)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    plan = StepPlan(5, 2, 1, True, 0, loss, lambda _: 0.01)
    return next(explain(plan, TrainingState(model), X, y, 1))


@pytest.mark.parametrize("loss", ["mse", "sse", "half_mse", "mae", "huber"])
@pytest.mark.parametrize("n_targets", [1, 2])
@pytest.mark.parametrize("bias", [True, False])
def test_three_gradients_agree(loss, n_targets, bias):
    step = a_step(Loss(loss, huber_delta=0.7), n_targets=n_targets, bias=bias)
    assert step.disagreement() < AGREEMENT / 10
    moved = step.before["weight"] - step.lr * step.gradients["formula"]["weight"]
    np.testing.assert_allclose(step.after["weight"], moved, rtol=1e-12)


def test_a_wrong_gradient_is_an_error(linreg, monkeypatch):
    import linreg_cli.evaluate.explain as module

    right = module._by_formula
    monkeypatch.setattr(module, "_by_formula", lambda *a: {name: g * 1.001 for name, g in right(*a).items()})
    result = linreg("explain", "-c", CONFIGS / "points.yaml")
    assert result.code == 1
    assert "the gradients disagree by 0.001" in result.err


def test_a_large_batch_is_not_written_out(linreg):
    out = linreg("explain", "-c", CONFIGS / "housing.yaml").out
    assert "32 rows" in out
    assert len(out.splitlines()) < 25
