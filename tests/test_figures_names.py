"""Names beside points: in the frame, apart from each other, and on as few points as there is room for."""

import itertools

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from linreg_cli.figures.canvas import blank, set_limits, style
from linreg_cli.figures.names import name_points


def named(xy, names, around, line=None):
    """The axes with the points and a reference line, and the box of each name by its text."""
    with style():
        figure, axes = blank("t", "x", "y")
        axes.plot(*around, "o", markersize=4)
        if line is not None:
            axes.plot(*line, gid="line")
        for which, values in (("x", around[0]), ("y", around[1])):
            set_limits(axes, which, float(values.min()), float(values.max()), few=False)
        name_points(axes, xy, names, around=around)
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
    return axes, {text.get_text(): text.get_window_extent(canvas.get_renderer()) for text in axes.texts}


@pytest.mark.parametrize("seed", range(4))
def test_names_are_in_the_frame_and_apart(seed):
    rng = np.random.default_rng(seed)
    around = rng.normal(size=(2, 200))
    largest = np.argsort(-np.abs(around[1]))[:5]
    axes, boxes = named(around[:, largest], 100_000 + largest, around)
    assert len(boxes) >= 3
    for box in boxes.values():
        assert axes.bbox.x0 <= box.x0 < box.x1 <= axes.bbox.x1
        assert axes.bbox.y0 <= box.y0 < box.y1 <= axes.bbox.y1
    assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes.values(), 2))


def test_a_name_is_where_no_other_point_is():
    # Points above and to the right of the named one: its name goes below it, to the left.
    side = np.array([0.0, 0.012, 0.03, 0.05, 0.07])
    around = np.concatenate(
        [np.array([[0.0, 1.0, 0.5], [0.0, 1.0, 0.5]]), np.stack([0.5 + side, np.full(5, 0.53)]),
         np.stack([0.5 + side, np.full(5, 0.47)]), np.stack([0.5 - side, np.full(5, 0.53)])], axis=1
    )  # fmt: skip
    axes, boxes = named(np.array([[0.5], [0.5]]), np.array([77]), around)
    x, y = axes.transData.transform([0.5, 0.5])
    assert boxes["77"].x1 < x
    assert boxes["77"].y1 < y


@pytest.mark.parametrize("rises", [True, False])
def test_a_name_does_not_lie_on_the_reference_line(rises):
    ends = np.array([[0.0, 1.0], [0.0, 1.0] if rises else [1.0, 0.0]])
    axes, boxes = named(np.array([[0.5], [0.5]]), np.array([123]), np.array([[0.0, 1.0, 0.5], [0.0, 1.0, 0.5]]), ends)
    along = np.linspace(0, 1, 2_000)
    points = axes.transData.transform(np.stack([along, along if rises else 1 - along], axis=1))
    assert not any(boxes["123"].contains(*point) for point in points)
