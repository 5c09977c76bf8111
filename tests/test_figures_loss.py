"""Losses over the epochs: the scale and the ticks of the axes, runs told apart, losses that are not finite."""

import numpy as np
import pytest
from drawings import curve, legend_texts, line, losses_of
from matplotlib.colors import to_rgb

from linreg_cli.figures.loss import LossCurve, loss_figure


def test_a_label_that_starts_with_an_underscore_stays_in_the_legend() -> None:
    assert legend_texts(losses_of(curve([2.0, 1.0], "_hidden$1$"))) == ["_hidden$1$, train"]


@pytest.mark.parametrize(
    ("losses", "scale"),
    [
        ([29.0, 1.0, 1e-9], "log"),
        ([1.01, 0.01], "log"),
        ([0.99, 0.01], "linear"),
        ([100.0, 1.0, 0.0], "linear"),
        ([100.0, 1.0, -1e-3], "linear"),
        ([5.0, 5.0], "linear"),
        ([1e3, np.inf, np.nan, 1.0], "log"),
        ([1.0, np.inf], "linear"),
    ],
)
def test_the_loss_axis_is_logarithmic_where_positive_losses_span_over_two_decades(
    losses: list[float], scale: str
) -> None:
    axes = losses_of(curve(losses)).axes[0]
    assert axes.get_yscale() == scale
    assert axes.get_ylabel().endswith("(log scale)") == (scale == "log")
    finite = [value for value in losses if np.isfinite(value)]
    assert axes.get_ylim()[0] < min(finite)
    assert axes.get_ylim()[1] > max(finite)


def test_log_ticks_are_labelled_in_plain_digits() -> None:
    def labels(*losses: float) -> list[str]:
        return [text.get_text() for text in losses_of(curve(list(losses))).axes[0].get_yticklabels()]

    assert labels(1e3, 1e-3) == ["0.001", "0.01", "0.1", "1", "10", "100", "1000"]
    assert labels(12.0, 0.1) == ["0.1", "0.2", "0.5", "1", "2", "5", "10"]
    assert labels(1.0, 1e-6) == ["10⁻⁶", "10⁻⁵", "10⁻⁴", "10⁻³", "10⁻²", "10⁻¹", "10⁰"]
    assert 4 <= len(labels(1e100, 1e-100)) <= 9


@pytest.mark.parametrize("last", [138.0, 103.3, 99.0, 51.0, 21.0, 20.0, 9.0])
@pytest.mark.parametrize("unit", [1.0, 1e-9, 1e12])
def test_a_logarithmic_axis_of_any_length_has_several_labels(last: float, unit: float) -> None:
    axes = loss_figure([curve([139.0 * unit, last * unit])], loss="gap", title="t", scale="log").axes[0]
    low, high = axes.get_ylim()
    assert 3 <= len([tick for tick in axes.get_yticks() if low <= tick <= high]) <= 9
    assert all(text.get_text() for text in axes.get_yticklabels())


def test_few_epochs_show_markers_and_many_a_plain_line() -> None:
    assert line(losses_of(curve([2.0, 1.0])), "train-0").get_marker() == "o"
    assert line(losses_of(curve(list(range(1, 3_000)))), "train-0").get_marker() in ("", "None")


@pytest.mark.parametrize("epochs", [1, 2, 3, 7, 29, 1_000, 12_345])
def test_epoch_ticks_are_whole_numbers_from_zero(epochs: int) -> None:
    ticks = losses_of(curve(list(np.linspace(2, 1, epochs + 1)))).axes[0].get_xticks()
    assert ticks[0] == 0
    assert all(tick == round(tick) <= epochs for tick in ticks)
    assert 2 <= len(ticks) <= 9


def test_several_runs_differ_in_colour_dashes_and_marker_and_validation_is_dashed_in_the_same_colour() -> None:
    losses = [float(k) for k in range(100, 1, -1)]
    figure = losses_of(*[curve(losses, f"run-{k}", losses) for k in range(5)])
    trains = [line(figure, f"train-{k}") for k in range(5)]
    validations = [line(figure, f"validation-{k}") for k in range(5)]
    assert len({to_rgb(train.get_color()) for train in trains}) == 5
    assert len({train.get_marker() for train in trains}) == 5
    # Line2D has no public access to a dash pattern.
    assert len({str(train._unscaled_dash_pattern) for train in trains}) == 5
    assert [v.get_color() for v in validations] == [t.get_color() for t in trains]
    assert {v.get_linestyle() for v in validations} == {"--"}
    assert legend_texts(figure)[:2] == ["run-0, train", "run-0, validation"]


def test_non_finite_losses_are_left_out_and_owned_up_to() -> None:
    figure = losses_of(curve([4.0, np.nan, np.inf, 1e200, 3.0]))
    assert line(figure, "train-0").get_xydata().tolist() == [[0, 4], [4, 3]]
    assert legend_texts(figure) == ["gd-0001, train (2 not finite) (1 above 10¹⁵⁰)"]


def test_losses_of_zero_have_no_place_on_a_logarithmic_axis_and_are_counted_as_such() -> None:
    figure = loss_figure([curve([4.0, 1e-3, 0.0, 0.0])], loss="gap", title="t", scale="log")
    assert legend_texts(figure) == ["gd-0001, train (2 not above 0)"]


def test_a_loss_that_reaches_0_has_no_negative_axis() -> None:
    axes = losses_of(curve([4.0, 1.0, 0.0])).axes[0]
    assert axes.get_yticks()[0] == 0
    assert -0.5 < axes.get_ylim()[0] < 0


def steps_of(last: int, end: str = "") -> LossCurve:
    return LossCurve("a", np.array([0, last // 2, last]), np.array([3.0, 2.0, 1.0]), None, end)


@pytest.mark.parametrize(
    ("counts", "scale"),
    [((20, 600, 6_000), "symlog"), ((100, 1_000), "symlog"), ((100, 900), "linear"), ((6_000,), "linear")],
)
def test_steps_of_runs_of_which_one_took_ten_times_the_others_are_on_a_logarithmic_axis(
    counts: tuple[int, ...], scale: str
) -> None:
    axes = loss_figure([steps_of(count) for count in counts], loss="l", title="t", x_label="step").axes[0]
    assert axes.get_xscale() == scale
    assert axes.get_xlabel().startswith("step (log") == (scale == "symlog")
    if scale == "symlog":  # the state before training is drawn, and a short run takes its share of the picture
        labels = [text.get_text() for text in axes.get_xticklabels()]
        assert labels == ["0", "1", "10", "100", "1,000"]
        to_share = axes.transData + axes.transAxes.inverted()
        start, *ends = (to_share.transform((count, 1.0))[0] for count in (0, *counts))
        assert 0 < start < 0.1
        assert min(ends) > 0.3
        assert max(ends) < 1


def test_a_run_that_diverged_early_and_epochs_leave_the_axis_linear() -> None:
    early = [steps_of(600), steps_of(20, "diverged at step 21")]
    assert loss_figure(early, loss="l", title="t", x_label="step").axes[0].get_xscale() == "linear"
    epochs = [steps_of(600), steps_of(20)]
    assert loss_figure(epochs, loss="l", title="t", x_label="epoch").axes[0].get_xscale() == "linear"
