"""`linreg explain`: the first steps as one would write them on paper."""

import numpy as np
import pytest
import torch
from conftest import CONFIGS

from linreg_cli.inspection.explain import explain
from linreg_cli.model import build_model
from linreg_cli.optim.losses import Loss
from linreg_cli.optim.plan import StepPlan
from linreg_cli.optim.rows import TrainRows
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
    return next(explain(plan, TrainingState(model), TrainRows(X, y), 1))


@pytest.mark.parametrize("loss", ["mse", "sse", "half_mse", "mae", "huber"])
@pytest.mark.parametrize("n_targets", [1, 2])
@pytest.mark.parametrize("bias", [True, False])
def test_three_gradients_agree(loss, n_targets, bias):
    step = a_step(Loss(loss, huber_delta=0.7), n_targets=n_targets, bias=bias)
    assert step.disagreement() is None
    flat = [torch.cat([part.flatten() for part in way.values()]) for way in step.gradients.values()]
    # Losses are near 100 here, and a central difference is good to about 1e-16 * 100 / h = 2e-9.
    assert max(float((a - b).abs().max()) for a in flat for b in flat) < 1e-8
    moved = step.before["weight"] - step.lr * step.gradients["formula"]["weight"]
    np.testing.assert_allclose(step.after["weight"], moved, rtol=1e-12)


def test_a_wrong_gradient_is_an_error(linreg, monkeypatch):
    import linreg_cli.inspection.explain as module

    right = module._by_formula
    monkeypatch.setattr(module, "_by_formula", lambda *a: {name: g * 1.001 for name, g in right(*a).items()})
    result = linreg("explain", "-c", CONFIGS / "points.yaml")
    assert result.code == 1
    assert "step 1: autograd and the formula differ by 0.04" in result.err
    assert set(linreg("explain", "-c", CONFIGS / "points.yaml", "--json").json) == {"steps", "error"}


def test_the_first_rows_of_a_large_batch_are_shown_and_the_others_counted(linreg):
    out = linreg("explain", "-c", CONFIGS / "housing.yaml").out
    assert "Step 1: 32 rows" in out
    rows = out.partition("prediction")[2].split("\n\n")[0].splitlines()[1:]
    assert (len(rows), rows[-1]) == (11, "  ... and 22 more rows")
    assert " + ... + " in out
    assert len(out.splitlines()) < 40


WIDE = """
data: {source: synthetic, n_samples: 20, weights: [%s]}
optimizer: {lr: 0.001}
train: {batch_size: full}
"""


def test_a_wide_table_shows_the_columns_whose_weights_move_most(linreg, config_file):
    weights = ["0.1"] * 60
    weights[7] = weights[31] = weights[42] = weights[55] = "1000"
    config = config_file(WIDE % ", ".join(weights))
    out = linreg("explain", "-c", config).out
    [step] = linreg("explain", "-c", config, "--json").json
    sizes = {name: abs(value) for name, value in step["gradient"]["formula"]["weights"].items()}
    largest = sorted(sorted(sizes, key=sizes.get)[-4:], key=lambda name: int(name[1:]))
    [head] = [line for line in out.splitlines() if line.startswith("  row")]
    assert head.split()[1:-4] == largest
    assert "and 56 more columns, whose weights this step moves less" in out
    assert "and 50 more parameters; --json has them all" in out
    assert len(out.splitlines()) < 55


def test_several_targets_show_the_rows_of_the_first(linreg, config_file):
    data = "data: {source: inline, columns: [x, y, z], target: [y, z], rows: [[1, 2, 3], [2, 3, 5]]}"
    out = linreg("explain", "-c", config_file(f"{data}\nmodel: {{init: {{weight: 0, bias: 0}}}}")).out
    assert "  and 1 more target, with a prediction each" in out
    assert "(4 + 9 + 9 + 25) / 4 = 11.75" in out


def test_several_steps_end_with_their_path(linreg, tmp_path):
    """The points and the losses of the run that trains so many steps."""
    out = linreg("explain", "-c", CONFIGS / "points.yaml", "--steps", "6").out
    assert [line.split(":")[0] for line in out.splitlines() if line.startswith("Step ")] == [
        "Step 1",
        "Step 2",
        "Step 3",
    ]
    path = [line.split() for line in out.partition("Path: 7 points\n\n")[2].splitlines()]
    assert path[0] == ["steps", "train", "loss", "w[x]", "b"]
    settings = ("--set", "train.epochs=6", "--set", "plots=false")
    assert linreg("train", "-c", CONFIGS / "points.yaml", *settings).code == 0
    history = (tmp_path / "outputs" / "points-0001" / "history.csv").read_text().splitlines()
    names = history[0].split(",")
    wanted = [names.index(name) for name in ("step", "train_loss", "weight:x", "bias")]
    trained = [[float(line.split(",")[at]) for at in wanted] for line in history[1:]]
    shown = [[float(cell.replace(",", "")) for cell in line] for line in path[1:]]
    np.testing.assert_allclose(shown, trained, rtol=1e-7)


def test_three_gradients_agree_far_from_order_one(linreg):
    # Prices near 1e6 and a descent that has converged: the terms of the gradient cancel to nothing.
    options = ("preprocess.standardize_target=false", "train.batch_size=full", "optimizer.lr=0.4", "train.epochs=40")
    arguments = [argument for option in options for argument in ("--set", option)]
    result = linreg("explain", "-c", CONFIGS / "housing.yaml", "--steps", "40", *arguments)
    assert (result.code, result.err) == (0, "")


def test_a_kink_of_the_absolute_loss_is_no_disagreement(linreg, config_file):
    data = "data: {source: inline, columns: [x, y], rows: [[1, 1.000001], [2, 2]]}"
    config = config_file(f"{data}\nmodel: {{init: {{weight: 1}}}}\nloss: mae")
    [step] = linreg("explain", "-c", config, "--json").json
    assert step["gradient"]["autograd"] == step["gradient"]["formula"] == {"weights": {"x": -0.5}, "bias": -0.5}
    assert abs(step["gradient"]["finite_difference"]["bias"] + 0.5) > 0.1  # within h of the kink it mixes two slopes


def test_a_step_that_diverges_ends_the_page_with_exit_4(linreg):
    options = ("explain", "-c", CONFIGS / "points.yaml", "--set", "optimizer.lr=1e200", "--steps", "4")
    result = linreg(*options)
    assert (result.code, result.out.count("Step ")) == (4, 1)
    assert result.err == "error: the loss of step 2 is inf at learning rate 1e+200; lower optimizer.lr\n"
    assert [step["next_loss"] for step in linreg(*options, "--json").json["steps"]] == [None]


def test_a_rate_of_zero_shows_the_gradient_and_no_move(linreg):
    schedule = "optimizer.schedule={kind: cosine, T_max: 1}"
    out = linreg("explain", "-c", CONFIGS / "points.yaml", "--set", schedule, "--steps", "2").out
    assert "w[x] = 1.4 - 0 * (-26.64) = 1.4" in out


def test_shards_change_no_step(linreg):
    here, there = (
        linreg("explain", "-c", CONFIGS / "points.yaml", "--steps", "3", "--json", *more).json
        for more in ((), ("--set", "train.shards=2"))
    )
    assert here == there


def test_rows_on_the_disk_are_worked_as_those_in_memory(linreg, tmp_path):
    rows = np.random.default_rng(0).normal(size=(50, 4))
    names, columns = "a,b,p,y", np.column_stack([rows[:, :2], np.abs(rows[:, 2]) + 0.1, rows[:, 3]])
    np.savetxt(tmp_path / "t.csv", columns, delimiter=",", header=names, comments="")
    (tmp_path / "c.yaml").write_text(
        f"data: {{path: {tmp_path / 't.csv'}, target: y, weight: p}}\n"
        "train: {shuffle: blocks, blocks: 3, batch_size: 7}\noptimizer: {lr: 0.1, momentum: 0.5}\n"
    )
    explained = ["explain", "-c", tmp_path / "c.yaml", "--steps", "9", "--json", "--set"]
    assert linreg(*explained, "data.stream=true").json == linreg(*explained, "data.stream=false").json
    full = [*explained, "data.stream=true", "--set", "train.shuffle=true", "--set", "train.blocks=null"]
    refused = linreg(*full, "--set", "train.batch_size=full", "--steps", "1")
    assert refused.code == 2
    assert "which stay on the disk; set train.batch_size: 32, or data.stream: false" in refused.err


def test_more_steps_than_the_config_trains_are_refused(linreg):
    result = linreg("explain", "-c", CONFIGS / "points.yaml", "--set", "train.epochs=2", "--steps", "3")
    assert (result.code, result.err) == (
        2,
        "error: --steps: 3 steps are more than the 2 of the config; raise train.epochs\n",
    )
