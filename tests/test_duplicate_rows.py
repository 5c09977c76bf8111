"""Train rows that stand in another split, too: counted exactly, and silent where equal rows are natural."""

import numpy as np
import pytest

from linreg_cli.config.load import load_config
from linreg_cli.data.load import load_dataset

CONFIG = """
data: {{path: {path}, target: y, split: {{column: part}}}}
preprocess: {{categorical: one_hot}}
"""


@pytest.fixture
def found(tmp_path):
    """A function that reads a table of rows with their split, and gives the messages about rows of two splits."""

    def read(rows, header="part,a,b,c,d,y"):
        path = tmp_path / "t.csv"
        path.write_text("\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n", encoding="utf-8")
        (tmp_path / "t.yaml").write_text(CONFIG.format(path=path), encoding="utf-8")
        warnings = load_dataset(load_config([tmp_path / "t.yaml"], []).config).summary.warnings
        return [each.message for each in warnings if each.kind == "duplicate_rows"]

    return read


def rows_of(part, n, seed):
    return [(part, *row) for row in np.random.default_rng(seed).normal(size=(n, 5)).round(6).tolist()]


def with_copies(n, split="test"):
    """100 train rows and 60 of another split, of which the first n are copies."""
    train = rows_of("train", 100, 0)
    return train + [(split, *row[1:]) for row in train[:n]] + rows_of(split, 60 - n, 1)


@pytest.mark.parametrize("split", ["test", "validation"])
def test_copies_are_counted(found, split):
    [message] = found(with_copies(7, split))
    assert message.startswith(f"7 of 60 {split} rows (11.7 %) are train rows, too")
    assert "data.split.column" in message


def test_one_row_and_rows_that_differ_anywhere_are_no_copies(found):
    assert found(with_copies(1)) == []
    for position in range(1, 6):  # a feature, or the target
        rows = [list(row) for row in with_copies(7)]
        for row in rows[100:107]:
            row[position] += 1e-6
        assert found(rows) == []


def test_less_than_one_percent_is_silent(found):
    train = rows_of("train", 300, 0)
    copies = [("test", *row[1:]) for row in train[:2]]
    assert found(train + copies + rows_of("test", 250, 1)) == []
    [message] = found(train + copies + rows_of("test", 198, 1))
    assert message.startswith("2 of 200 test rows (1 %)")


def test_minus_zero_is_zero(found):
    rows = [(part, 0.0, *row) for part, *row in [each[:1] + each[2:] for each in with_copies(7)]]
    negative = [(part, "-0.0" if part == "test" else "0.0", *row) for part, _, *row in rows]
    assert found(negative) == found(rows) != []


def test_equal_rows_of_few_values_are_natural(found):
    """Four features and a target of three values each: 243 rows are possible, and most of the test rows repeat one."""
    chance = np.random.default_rng(2)
    rows = [("train" if at < 400 else "test", *chance.integers(0, 3, 5).tolist()) for at in range(500)]
    train = {row[1:] for row in rows[:400]}
    assert sum(row[1:] in train for row in rows[400:]) > 50
    assert found(rows) == []
    levels = [(part, "abc"[a], "xyz"[b], *rest) for part, a, b, *rest in rows]
    assert found(levels) == []


def test_a_table_that_was_appended_to_itself_is_not_natural(found):
    once = [row[1:] for row in rows_of("", 90, 3)]
    rows = [("test" if at % 4 == 0 else "train", *row) for at, row in enumerate([*once, *once[1:], once[0]])]
    train = {row[1:] for row in rows if row[0] == "train"}
    expected = sum(row[0] == "test" and row[1:] in train for row in rows)
    [message] = found(rows)
    assert message.startswith(f"{expected} of 45 test rows")
