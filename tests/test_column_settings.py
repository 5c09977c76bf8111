"""Keys of `preprocess.columns` that are of no use for a table."""

import pytest

CONFIG = "data: {{path: t.csv, target: y, {}}}\npreprocess: {{columns: {}}}\nplots: false\noptimizer: {{lr: 0.01}}\n"
ROWS = "width,colour,w,day,y\n" + "".join(
    f"{x},{'red' if x % 2 else 'blue'},2,2020-0{x}-01,{3 * x}\n" for x in range(1, 9)
)


@pytest.fixture
def warned(linreg, csv, config_file):
    """The warnings of a run about its settings."""

    def train(data, columns):
        csv(ROWS)
        result = linreg("train", "-c", config_file(CONFIG.format(data, columns)), "--json")
        assert result.code == 0, result.err
        return [each["message"] for each in result.json["warnings"] if each["kind"] == "config"]

    return train


def test_a_column_that_is_no_feature_is_named_with_what_to_do(warned):
    (found,) = warned("features: [width]", "{colour: {categorical: one_hot}, width: {missing: mean}}")
    assert found == (
        "preprocess.columns has no effect on columns that are no features: 'colour'; name them in data.features, or "
        "leave this entry out with preprocess.columns: {width: {missing: mean}}"
    )


def test_it_is_said_what_the_column_is_and_which_one_may_be_meant(warned):
    (found,) = warned(
        "features: [width], weight: w, ignore: [colour]", "{w: {missing: drop}, 'col*': {missing: level}}"
    )
    assert "'w' (it is under data.weight), 'col*' (it is under data.ignore); name them" in found
    assert found.endswith("leave these entries out with preprocess.columns: {}")


def test_a_pattern_that_matches_a_feature_too_and_the_target_are_used(warned):
    columns = "{'*': {missing: mean}, width: {}, y: {missing: drop}}"
    assert warned("features: [width]", columns) == []


@pytest.mark.parametrize("column", ["day", "month(day)"])
def test_the_date_of_a_part_and_the_part_are_used(warned, column):
    assert warned("features: [width, month(day)]", f"{{'{column}': {{missing: drop}}}}") == []


def test_a_column_that_others_are_made_of_is_used(warned):
    assert warned("features: [log(width)]", "{width: {missing: mean}}") == []


def test_the_config_of_a_run_repeats_it(linreg, csv, config_file):
    csv(ROWS)
    text = CONFIG.format("features: [width]", "{colour: {categorical: one_hot}}")
    assert linreg("train", "-c", config_file(text), "--name", "a").code == 0
    assert linreg("train", "-c", "outputs/a-0001/config.yaml", "--name", "b").code == 0


def test_a_column_that_the_table_does_not_have_is_refused(linreg, csv, config_file):
    csv(ROWS)
    result = linreg("train", "-c", config_file(CONFIG.format("features: [width]", "{color: {missing: mean}}")))
    assert (result.code, result.err) == (
        3,
        "error: t.csv: preprocess.columns: there is no column 'color'; did you mean 'colour'?\n",
    )
