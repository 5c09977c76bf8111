"""Paths into `metrics.json`: how they are written, what is at their end, and which one was meant."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linreg_cli.gates import check_gates, parse_comparison
from linreg_cli.metric_paths import Missing, metric_at, parse_path, written

METRICS = {
    "train": {"r2": 0.9, "loss": None, "loss_reason": "overflow in float64"},
    "parameters": {
        "weights": {
            "ocean_proximity=INLAND": -31.0,
            "ocean_proximity=NEAR BAY": 0.5,
            "size=<1H OCEAN": 2.0,
            "city=St. John's": 3.0,
            'say "hi"': 4.0,
            "back\\slash": 5.0,
            "a": 6.0,
            "a.b": 7.0,
            " blank ": 8.0,
            "": 9.0,
        },
        "bias": 1.0,
    },
    "probe": [{"input": [6.0], "before": [0.1], "after": [11.0]}, {"input": ["x", 2.0], "after": [1.0, 2.0]}],
    "inference": {"refused": "weight decay biases the coefficients"},
    "optimum": None,
    "optimum_reason": "the table is too large",
}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("parameters.weights.ocean_proximity=INLAND", -31.0),
        ('parameters.weights."ocean_proximity=INLAND"', -31.0),
        ("parameters.weights.'ocean_proximity=NEAR BAY'", 0.5),
        ("parameters.weights.ocean_proximity=NEAR BAY", 0.5),
        ("parameters.weights.size=<1H OCEAN", 2.0),
        ('parameters.weights."city=St. John\'s"', 3.0),
        (r'parameters.weights."say \"hi\""', 4.0),
        (r'parameters.weights."back\\slash"', 5.0),
        ("parameters.weights.a", 6.0),
        ("parameters.weights.a.b", 7.0),
        ('parameters.weights."a.b"', 7.0),
        ('parameters.weights." blank "', 8.0),
        ('parameters.weights.""', 9.0),
        ('"parameters".bias', 1.0),
        ("probe.0.after.0", 11.0),
        ("probe.0.after", 11.0),
        ("probe.1.after.1", 2.0),
    ],
)
@pytest.mark.parametrize("form", ["{} == {}", "{}=={}", "  {}  == {} "])
def test_a_gate_reaches_whatever_is_there(path, value, form):
    [passed] = check_gates([form.format(path, value)], [], METRICS)
    assert (passed.passed, passed.measured) == (True, value)
    [failed] = check_gates([f"{path} != {value}"], [], METRICS)
    assert (failed.passed, failed.measured) == (False, value)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("train.R2", "there is no metric train.R2; did you mean train.r2?"),
        ("r2", "there is no metric r2; did you mean train.r2?"),
        ("trian.r2", "there is no metric trian.r2; did you mean train.r2?"),
        (
            "parameters.weights.ocean_proximity=ISLAND",
            "there is no metric parameters.weights.ocean_proximity=ISLAND; did you mean "
            'parameters.weights."ocean_proximity=INLAND"?',
        ),
        ("probe.2.after.0", "there is no metric probe.2.after.0; did you mean probe.1.after.0?"),
        ('probe."0".after', 'there is no metric probe."0".after; did you mean probe.0.after.0?'),
        ("probe.1.after", "probe.1.after is a group of metrics; there is probe.1.after.0, probe.1.after.1"),
        ("probe.1.input.0", "probe.1.input.0 is x"),
        ("train.loss", "train.loss is undefined: overflow in float64"),
        ("optimum.gap", "there is no metric optimum.gap: optimum is undefined, the table is too large"),
        (
            "inference.r2",
            "inference.r2 is not available, since inference was refused: weight decay biases the coefficients",
        ),
        (
            "quality",
            "there is no metric quality; there is train, parameters, probe, inference, optimum, optimum_reason",
        ),
    ],
)
def test_what_is_not_there_is_explained(path, reason):
    [result] = check_gates([f"{path} > 0"], [], METRICS)
    assert (result.passed, result.measured, result.reason) == (False, None, reason)


@pytest.mark.parametrize(
    "gate", ['a."b > 0', 'a."b"c > 0', "a..b > 0", ".a > 0", "a. > 0", "> 0", "a > b", "a => 0", "a >> 0", "a", ""]
)
def test_what_is_no_gate_is_refused_with_the_forms_that_are(gate):
    with pytest.raises(ValueError, match=r"is not METRIC OPERATOR NUMBER|is not the name of a metric"):
        parse_comparison(gate)


@given(st.lists(st.text(), min_size=1, max_size=4))
def test_every_path_can_be_written_and_is_read_back(steps):
    assert [text for text, _ in parse_path(written(steps))] == steps


@given(st.dictionaries(st.text(max_size=5), st.floats(allow_nan=False), min_size=1))
def test_every_name_can_be_reached_in_quotes(values):
    for name, value in values.items():
        found = metric_at({"w": values}, parse_path(written(["w", name])))
        assert not isinstance(found, Missing)
        assert found == value
