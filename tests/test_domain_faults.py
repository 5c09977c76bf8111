"""Values outside the domain of a function, and products that overflow: which are reported, and what is proposed."""

import numpy as np
import pandas as pd
import pytest

from linreg_cli.config import Config
from linreg_cli.config.terms import Factor
from linreg_cli.data import load_dataset
from linreg_cli.data.encoding.derived import DerivedInput
from linreg_cli.data.encoding.domain_faults import domain_faults
from linreg_cli.errors import DataError

LOG_A, LOG1P_B, ROOT_B = Factor("a", "log"), Factor("b", "log1p"), Factor("b", "sqrt")
COLUMNS = {"a": np.array([1.0, 2.0, 0.0, -0.5]), "b": np.array([4.0, -1.5, 1.0, 0.0])}


def feature(*factors: Factor) -> DerivedInput:
    return DerivedInput(":".join(map(str, factors)), factors)


def faults(*derived, columns=COLUMNS, rows=None, trained=False):
    """(row and column, message) of each fault."""
    rows = np.arange(4) if rows is None else np.array(rows)
    found = domain_faults(derived, columns, rows, "t.csv", trained=trained)
    return [(each.where.removeprefix("t.csv, "), each.message) for each in found]


def test_each_function_is_reported_once_with_the_first_row_and_what_it_found():
    found = faults(feature(LOG_A), feature(LOG1P_B), feature(ROOT_B), feature(LOG_A, Factor("b")))
    assert [place for place, _ in found] == ["row 3, column 'a'", "row 2, column 'b'", "row 2, column 'b'"]
    assert found[0][1].startswith("log(a) needs values above 0, found 0 (2 such cells in the column); correct the cell")
    assert found[1][1].startswith("log1p(b) needs values above -1, found -1.5; correct the cell, or leave it out with")
    assert found[2][1].startswith("sqrt(b) needs values of 0 or more, found -1.5; correct the cell, or leave it out")


@pytest.mark.parametrize(("lowest", "proposed"), [(-0.5, True), (-1.0, False)])
def test_log1p_is_proposed_where_all_values_are_in_its_domain(lowest, proposed):
    ((_, message),) = faults(feature(LOG_A), columns={"a": np.array([1.0, lowest, 3.0, 2.0])})
    assert ("write log1p(a)" in message) is proposed


def test_rows_that_are_not_used_may_have_any_value():
    assert faults(feature(LOG_A), feature(ROOT_B), rows=[0]) == []
    assert [place for place, _ in faults(feature(LOG_A), rows=[3, 0])] == ["row 4, column 'a'"]


def test_a_trained_model_cannot_leave_a_feature_out():
    ((_, message),) = faults(feature(ROOT_B), trained=True)
    assert message.endswith("correct the cell, or leave the row out of the table")


def test_a_product_that_overflows_is_reported_unless_its_column_is_already():
    power, columns = Factor("a", None, 9), {"a": np.array([1.0, 1e40, -1.0, 1e40]), "b": np.ones(4)}
    ((place, message),) = faults(feature(power, Factor("b")), columns=columns)
    assert place == "row 2, column 'a'"
    assert message.startswith("a^9:b overflows float64 (2 such rows); use another unit, or leave it out")
    assert len(faults(feature(power), feature(LOG_A), columns=columns)) == 1  # of the logarithm of -1


def test_all_are_reported_when_a_table_is_loaded_but_those_of_rows_that_are_dropped(tmp_path):
    frame = pd.DataFrame({"a": [1.0, -1.0, 2.0, 0.0, 5.0], "b": [1.0, np.nan, 1.0, -2.0, 2.0], "y": range(5)})
    frame.to_csv(tmp_path / "t.csv", index=False)
    data = {"path": str(tmp_path / "t.csv"), "target": "y", "features": ["log(a)", "sqrt(b)"]}
    config = Config.model_validate({"data": data, "preprocess": {"missing": "drop"}})
    with pytest.raises(DataError) as caught:
        load_dataset(config)
    places = [fault.where.split(", ", 1)[1] for fault in caught.value.faults]
    assert places == ["row 4, column 'a'", "row 4, column 'b'"]
    assert "leave it out with data.features: ['sqrt(b)']" in caught.value.faults[0].message
