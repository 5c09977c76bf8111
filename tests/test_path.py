"""The path of gradient descent over the loss: positions, loss and optimum, for one parameter, two and more."""

import csv
import itertools
import json

import numpy as np
import pytest
from conftest import CONFIGS
from drawings import assert_legible, legend_texts, line
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from linreg_cli.figures.landscape import descent, landscape
from linreg_cli.figures.material import Material
from linreg_cli.figures.path import Descent, Landscape, path_figure
from linreg_cli.runs.find import find_run

HESSIAN = np.array([[2.0, 1.8], [1.8, 2.0]])


def bowl(names=("a", "b")) -> Landscape:
    return Landscape(lambda p: np.einsum("ij,jk,ik->i", p, HESSIAN, p) / 2, np.zeros(2), names, "loss")


def descend(rate: float, start=(1.0, 0.3), steps: int = 40) -> np.ndarray:
    found = [np.array(start)]
    for _ in range(steps):
        found.append(found[-1] - rate * HESSIAN @ found[-1])
    return np.array(found)


@pytest.fixture
def material(linreg, tmp_path):
    """Train a config and give the material of its run."""

    def run(config, *arguments):
        assert linreg("train", "-c", str(config), "--quiet", *arguments).code in (0, 4)
        return Material.of(find_run(tmp_path / "outputs", "latest"))

    return run


def test_the_parabola_is_descended_by_a_fifth_of_its_way_each_step(material):
    run = material(CONFIGS / "parabola.yaml", "--set", "plots=false")
    land, note, plane = landscape(run, "zero")
    steps = descent(run, "zero", "parabola", plane).steps
    # By hand: f'(x) = 2 x, so x - 0.1 * 2 x = 0.8 x.
    np.testing.assert_allclose(steps[:4, 0], [0.5, 0.4, 0.32, 0.256], rtol=1e-14)
    x = np.linspace(-1, 1, 5)[:, None]
    np.testing.assert_allclose(land.loss(x), x[:, 0] ** 2, atol=1e-15)
    assert land.optimum.tolist() == [0.0]
    assert note == ""
    figure = path_figure(land, [Descent("parabola", steps)], title="f")
    np.testing.assert_allclose(line(figure, "path-0").get_ydata(), steps[:, 0] ** 2, atol=1e-15)
    assert_legible(figure)


def test_the_bowl_is_descended_from_one_one_to_08_08(material):
    run = material(CONFIGS / "bowl.yaml", "--set", "plots=false")
    land, _, plane = landscape(run, "zero")
    steps = descent(run, "zero", "bowl", plane).steps
    np.testing.assert_allclose(steps[:3], [[1, 1], [0.8, 0.8], [0.64, 0.64]], rtol=1e-14)
    points = np.array([[0.0, 0.0], [1.0, -2.0], [0.3, 0.4]])
    np.testing.assert_allclose(land.loss(points), (points**2).sum(axis=1), atol=1e-14)
    np.testing.assert_allclose(land.optimum, [0, 0], atol=1e-14)


@pytest.mark.parametrize("loss", ["mse", "half_mse", "sse", "mae", "huber"])
@pytest.mark.parametrize("scaled", [False, True])
def test_the_loss_on_the_path_is_that_of_the_history(material, config_file, loss, scaled):
    """Positions are in scaled units, the history in original ones: both must give the train loss of each epoch."""
    config = {
        "data": {"source": "synthetic", "n_samples": 40, "weights": [3.0], "bias": 2.0, "noise_std": 0.5},
        "preprocess": {"standardize": scaled, "standardize_target": scaled}, "loss": loss, "plots": False,
        "optimizer": {"lr": 0.001 if loss == "sse" else 0.05}, "train": {"epochs": 9, "dtype": "float64"},
    }  # fmt: skip
    run = material(config_file(json.dumps(config)))
    land, _, plane = landscape(run, "y")
    steps = descent(run, "y", "", plane).steps
    with open(run.path / "history.csv", newline="") as file:
        history = [float(row["train_loss"]) for row in csv.DictReader(file)]
    np.testing.assert_allclose(land.loss(steps), history, rtol=1e-9)
    assert land.optimum is not None
    around = land.optimum + 0.01 * np.array([[1, 0], [0, 1], [-1, 0], [0, -1]])
    assert (land.loss(around) >= land.loss(land.optimum[None])).all()


def test_more_parameters_are_seen_in_the_plane_of_the_steepest_and_the_flattest_direction(material, config_file):
    config = {
        "data": {
            "source": "synthetic", "n_samples": 200, "weights": {"wide": 1.0, "middle": 1.0, "narrow": 1.0},
            "features": {"wide": {"normal": [0, 10]}, "middle": {"normal": [0, 1]}, "narrow": {"normal": [0, 0.1]}},
        },
        "optimizer": {"lr": 0.004}, "train": {"epochs": 30, "batch_size": "full", "dtype": "float64"}, "plots": False,
    }  # fmt: skip
    run = material(config_file(json.dumps(config)))
    land, note, plane = landscape(run, "y")
    assert land.names[0].startswith("steepest direction (wide 100 %")
    assert land.names[1].startswith("flattest direction (narrow")
    assert "curvatures" in note
    steps = descent(run, "y", "", plane).steps
    # Along an eigenvector each step multiplies the distance by 1 - lr * curvature.
    curvature = [float(2 * (land.loss(e[None]) - land.loss(np.zeros((1, 2))))[0]) for e in np.eye(2)]
    for axis in (0, 1):
        expected = steps[0, axis] * (1 - 0.004 * curvature[axis]) ** np.arange(len(steps))
        np.testing.assert_allclose(steps[:, axis], expected, rtol=1e-6, atol=1e-9)


def test_crawling_zigzag_and_divergence_are_seen_in_one_picture():
    largest = float(np.linalg.eigvalsh(HESSIAN)[-1])
    runs = [Descent(f"lr {share}", descend(share * 2 / largest)) for share in (0.1, 0.9, 1.01)]
    figure = path_figure(bowl(), runs, title="three rates")
    axes = figure.axes[0]
    texts = legend_texts(figure)
    assert texts[:2] == ["lr 0.1", "lr 0.9"]
    assert texts[2] == "lr 1.01 (leaves the picture)"
    low, high = axes.get_xlim()
    assert low < 0 < 1 < high < 5  # near the runs that fall, not the one that leaves
    # The zigzag: the component along the steepest direction changes its sign at every step.
    steps = line(figure, "path-1").get_xydata() @ np.array([1, 1])
    assert (np.sign(steps[1:]) == -np.sign(steps[:-1])).all()
    assert_legible(figure)


def test_one_run_is_drawn_on_contours_and_on_a_surface():
    figure = path_figure(bowl(("a" * 200, "b")), [Descent("run", descend(0.1))], title="t", note="a note")
    FigureCanvasAgg(figure).draw()
    flat, surface = figure.axes[:2]
    assert surface.name == "3d"
    assert {each.get_gid() for each in flat.lines} == {"path-0", "start", "optimum"}
    assert flat.collections  # contours
    assert legend_texts(figure) == ["steps", "start", "optimum"]


@pytest.mark.parametrize("size", [(1.0, 1.0), (0.005, 0.0008), (0.06, 0.3), (4e12, 1.5e11), (0.3, 0.12), (2e-6, 5.0)])
@pytest.mark.parametrize("level", [0.0, 0.99936])
@pytest.mark.parametrize("start", [(1.0, 1.0), (-1.0, -1.0), (1.0, -0.5)])
def test_labels_of_the_surface_cover_neither_each_other_nor_the_contours(monkeypatch, size, level, start):
    names = ("steepest direction", "flattest direction")
    land = Landscape(
        lambda points: level + ((points / size) ** 2).sum(axis=1) * (2e-5 if level else 1.0), np.zeros(2), names, "loss"
    )
    figure = path_figure(land, [Descent("run", np.outer([1.0, 0.1, 0.0], start) * size)], title="t", note="a note")
    canvas, boxes = FigureCanvasAgg(figure), {}
    draw = Text.draw

    def noting(text, renderer):  # in three dimensions labels have their places only while they are drawn
        boxes[text] = text.get_window_extent(renderer)
        draw(text, renderer)

    monkeypatch.setattr(Text, "draw", noting)
    canvas.draw()
    flat, surface = figure.axes[:2]
    contours = flat.get_tightbbox(canvas.get_renderer())
    ticks = []
    for axis in (surface.xaxis, surface.yaxis, surface.zaxis):
        labels = [boxes[label] for label in axis.get_ticklabels() if label.get_text()]
        assert len(labels) >= 2
        ticks += labels
        for box in labels + ([boxes[axis.label]] if axis.label.get_text() else []):
            assert not box.overlaps(contours)
            assert box.x1 <= figure.bbox.x1
            assert box.y0 >= figure.bbox.y0
    assert not any(a.overlaps(b) for a, b in itertools.combinations(ticks, 2))


@pytest.mark.parametrize(("runs", "width"), [(1, 1.8), (2, 2.0)])
def test_ticks_stand_apart_where_one_scale_for_both_axes_makes_the_contours_narrow(runs, width):
    steps = np.array([[0.0, 0.0], [width - 0.2, 4.0], [width, 4.2]])
    land = Landscape(lambda p: np.abs(p - [width, 4.2]).sum(axis=1), None, ("a", "b"), "loss")
    assert_legible(path_figure(land, [Descent("run", steps)] * runs, title="t"))


def test_runs_of_other_data_share_no_path(linreg, config_file, tmp_path):
    for seed in (0, 1):
        text = f"name: r\nseed: {seed}\ndata: {{source: synthetic, n_samples: 20, weights: [1]}}\nplots: false\n"
        assert linreg("train", "-c", config_file(text), "--quiet").code == 0
    result = linreg("plot", "r-0001", "r-0002", "--kind", "path")
    assert result.code == 2
    assert result.err == "error: --kind: r-0001 and r-0002 were trained on other data, so they share no loss\n"
    assert linreg("plot", "r-0001", "r-0002", "--kind", "coefficients").code == 0


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("model.bias=true", "model.bias=false"),
        ("model.bias=false", "model.bias=true"),
        ("optimizer.weight_decay=0", "optimizer.weight_decay=1"),
        ("loss=huber", "huber_delta=0.1"),
        ("loss=mse", "loss=mae"),
        ("preprocess.standardize=true", "preprocess.standardize=false"),
    ],
)
def test_runs_of_another_surface_share_no_path(linreg, config_file, one, other):
    """Contours are those of one loss: what it is a function of must be the same."""
    text = "name: r\ndata: {source: synthetic, n_samples: 20, weights: [1]}\nplots: false\n"
    for settings in ([one], [one, other]):
        options = [word for each in settings for word in ("--set", each)]
        assert linreg("train", "-c", config_file(text), "--quiet", *options).code == 0
    result = linreg("plot", "r-0001", "r-0002", "--kind", "path")
    assert (result.code, "r-0001 and r-0002 have another loss, penalty, intercept or" in result.err) == (2, True)
    assert linreg("plot", "r-0001", "r-0001", "--kind", "path").code == 0


def test_a_coordinate_that_moves_by_rounding_alone_is_drawn_as_wide_as_the_valley():
    centre = np.array([0.9, 0.0])
    land = Landscape(lambda at: ((at - centre) ** 2).sum(axis=1), centre, ("w", "b"), "loss")
    steps = np.array([[0.0, 0.0], [0.5, -7e-9], [0.9, 2e-9]])
    figure = path_figure(land, [Descent("a", steps)], title="t")
    low, high = figure.axes[0].get_ylim()
    assert 0.1 < high - low < 2
    assert figure.axes[1].get_title() == "loss"


def test_a_long_valley_keeps_the_extent_of_its_steps():
    land = Landscape(lambda at: at[:, 0] ** 2 + 1e-6 * at[:, 1] ** 2, np.zeros(2), ("w", "b"), "loss")
    figure = path_figure(land, [Descent("a", np.array([[1.0, 1.0], [0.0, 0.9]]))], title="t")
    low, high = figure.axes[0].get_ylim()
    assert high - low < 4
