"""Tables with something wrong that a message has a remedy for."""

import numpy as np
import pyarrow as pa

N = 40
STREAM = np.random.default_rng(0)
X, Y = STREAM.normal(size=(2, N)).round(3)
NUMBERS = [f"{value:.2f}" for value in STREAM.normal(size=N) * 5]
LEVELS = [("low", "mid", "high")[row % 3] for row in range(N)]
ONE_HOT = {"preprocess": {"categorical": "one_hot"}}
SEMICOLON = {"data": {"delimiter": ";"}}
IDS = [f"id{row}" for row in range(N)]


def _with(*cells: str) -> list[str]:
    """Numbers, but for the first cells."""
    return [*cells, *NUMBERS[len(cells) :]]


#: what is wrong with the column -> (its cells, settings)
COLUMNS = {
    "words": (LEVELS, {}),
    "true and false": (["true", "false"] * (N // 2), {}),
    "a word among numbers": (_with("abc"), {}),
    "a word among numbers that could be levels": (_with("abc"), ONE_HOT),
    "backslash N": (_with("\\N"), {}),
    "a mark with quotes": (_with('it\'s "none"'), {}),
    "a placeholder": (_with("NULL", "NULL"), {}),
    "a placeholder in a category": (["NULL", "1", "2", "3"] * (N // 4), ONE_HOT),
    "a missing number": (_with(""), {}),
    "a missing level": (["", *LEVELS[1:]], ONE_HOT),
    "NA as a level": (["NA", *LEVELS[1:]], ONE_HOT),
    "no value": ([""] * N, {}),
    "no value and drop": ([""] * N, {"preprocess": {"missing": "drop"}}),
    "no value and mean": ([""] * N, {"preprocess": {"missing": "mean"}}),
    "an entry of a column that is no feature": (
        LEVELS,
        {"data": {"features": ["x"]}, "preprocess": {"columns": {"col": {"categorical": "one_hot"}}}},
    ),
    "dates": ([f"2020-01-{1 + row % 28:02d}" for row in range(N)], {}),
    "dates that could be levels": ([f"2020-01-{1 + row % 28:02d}" for row in range(N)], ONE_HOT),
    "dates that are quarters": ([f"{2000 + row // 4}Q{1 + row % 4}" for row in range(N)], {}),
    "dates that are quarters and could be levels": ([f"{2000 + row // 4}Q{1 + row % 4}" for row in range(N)], ONE_HOT),
    "dates that cannot be read": ([f"01/02/20{10 + row}" for row in range(N)], {}),
    "dates that cannot be read and could be levels": ([f"01/{1 + row % 9:02d}/2012" for row in range(N)], ONE_HOT),
    "identifiers": (IDS, ONE_HOT),
    "too many levels": (LEVELS, {"preprocess": {"categorical": "one_hot", "max_levels": 2}}),
    "leading zeros": (_with("007", "02138"), {}),
    "commas of either meaning": ([f"{1 + row % 9},500" for row in range(N)], SEMICOLON),
    "narrow blanks": ([f"{1 + row % 9}\u202f{500 + row}" for row in range(N)], {}),
    "narrow blanks that could be levels": ([f"{1 + row % 9}\u202f500" for row in range(N)], ONE_HOT),
    "apostrophes": ([f"{1 + row % 9}'{500 + row}" for row in range(N)], {}),
    "a constant": (["7"] * N, {}),
    "the same as another": ([str(value) for value in X], {}),
    "a combination of others": ([str(2 * value + 1) for value in X], {}),
    "the target": ([str(100 * value) for value in Y], {}),
    "a part of the target": ([f"{y - x:.3f}" for x, y in zip(X, Y, strict=True)], {}),
    "below float32": (["1e-60"] * N, {"train": {"dtype": "float32"}, "preprocess": {"standardize": False}}),
    "a unit": ([f"{2 + 2 * (row % 2)}WD" for row in range(N)], {}),
    "units": ([f"{2.5 * row:.1f} kg" for row in range(N)], {}),
    "units other than those of the config": (
        [f"{2.5 * row:.1f} kg" for row in range(N)],
        {"data": {"units": {"col": "lb"}}},
    ),
    "units that could be levels": ([f"{2.5 * row:.1f} kg" for row in range(N)], ONE_HOT),
    "money that could be levels": ([f"\u20ac {row % 7}" for row in range(N)], ONE_HOT),
    "a word among units": (["abc", *(f"{row} %" for row in range(N - 1))], {}),
    "beyond float32": (_with("1e39"), {"train": {"dtype": "float32"}, "preprocess": {"standardize": False}}),
    "a level for each level of another": (LEVELS, {"preprocess": {"categorical": "one_hot", "drop_first": False}}),
}


def _file(text, settings=None, encoding="utf-8"):
    return text.encode(encoding), settings or {}


ROWS = list(zip(X, Y, strict=True))
#: Prices such as 890 and 1.030, and whole targets.
POINTS = "".join(
    f"{price:,d}".replace(",", ".") + f";{3 * row % 17}\n" for row, price in enumerate(range(890, 1_290, 10))
)
#: what is wrong with the file -> (its bytes, settings)
FILES = {
    "semicolons": _file("x;y\n" + "".join(f"{x};{y}\n" for x, y in ROWS)),
    "tabs": _file("x\ty\n" + "".join(f"{x}\t{y}\n" for x, y in ROWS)),
    "blanks": _file("x y\n" + "".join(f"{x} {y}\n" for x, y in ROWS)),
    "runs of blanks": _file("x       y\n" + "".join(f"{x:8.3f}{y:9.3f}\n" for x, y in ROWS)),
    "runs of blanks and a blank": _file(
        "x       y\n" + "".join(f"{x:8.3f}{y:9.3f}\n" for x, y in ROWS), {"data": {"delimiter": " "}}
    ),
    "a delimiter at the end of rows": _file("x,y\n" + "".join(f"{x},{y},\n" for x, y in ROWS)),
    "two delimiters at the end of rows": _file("x,y\n" + "".join(f"{x},{y},,\n" for x, y in ROWS)),
    "blanks in a header with semicolons": _file("lot size;sale price;y\n" + "".join(f"{x};1;{y}\n" for x, y in ROWS)),
    "a delimiter at the end of the header": _file("x,y,\n" + "".join(f"{x},{y}\n" for x, y in ROWS)),
    "bars at the end of rows": _file("x|y\n" + "".join(f"{x}|{y}|\r\n" for x, y in ROWS), {"data": {"delimiter": "|"}}),
    "tabs at the end of rows": _file(
        "x\ty\n" + "".join(f"{x}\t{y}\t\n" for x, y in ROWS), {"data": {"delimiter": "\t"}}
    ),
    "row names": _file("x,y\n" + "".join(f'"{row}",{x},{y}\n' for row, (x, y) in enumerate(ROWS))),
    "a column without a name": _file(",x,y\n" + "".join(f"{row},{x},{y}\n" for row, (x, y) in enumerate(ROWS))),
    "two columns with units": _file("a,x,y\n" + "".join(f"{row} %,{x},{y} $\n" for row, (x, y) in enumerate(ROWS))),
    "units and decimal commas": _file(
        "x;y\n" + "".join(f"{x} m;{y}\n".replace(".", ",") for x, y in ROWS), {"data": {"delimiter": ";"}}
    ),
    "another encoding": _file("größe,y\n" + "".join(f"{x},{y}\n" for x, y in ROWS), encoding="cp1252"),
    "two encodings that are about as likely": _file(
        "ЦЕНА,y\n" + "".join(f"{x},{y}\n" for x, y in ROWS), encoding="cp1251"
    ),
    "blocks of rows and a full batch": _file(
        "x,y\n" + "".join(f"{x},{y}\n" for x, y in ROWS), {"train": {"shuffle": "blocks", "batch_size": "full"}}
    ),
    "a number of blocks and a full batch": _file(
        "x,y\n" + "".join(f"{x},{y}\n" for x, y in ROWS),
        {"train": {"shuffle": "blocks", "blocks": 3, "batch_size": "full"}},
    ),
    "blocks of an order that has none": _file(
        "x,y\n" + "".join(f"{x},{y}\n" for x, y in ROWS), {"train": {"blocks": 3, "batch_size": 4}}
    ),
    "a row of two lines in a table that is to stay on the disk": _file(
        "note,x,y\n" + "".join(f'"a\nb",{x},{y}\n' for x, y in ROWS), {"data": {"stream": True, "ignore": ("note",)}}
    ),
    "UTF-16": _file("x,y\n" + "".join(f"{x},{y}\n" for x, y in ROWS), encoding="utf-16"),
    "UTF-16 without a mark": _file("x,y\n" + "".join(f"{x},{y}\n" for x, y in ROWS), encoding="utf-16-be"),
    "an encoding that it does not have": _file(
        "x,größe,y\n" + "".join(f"{x},1,{y}\n" for x, y in ROWS), {"data": {"encoding": "ascii", "ignore": ("größe",)}}
    ),
    "a level that the train split lacks": _file(
        "c,s,x,y\n" + "".join(f"{'abc'[row % 3]},train,{x},{y}\n" for row, (x, y) in enumerate(ROWS)) + "d,test,1,2\n",
        {**ONE_HOT, "data": {"split": {"column": "s"}}},
    ),
    "the levels of another column": _file(
        "c,d,x,y\n" + "".join(f"{'abc'[row % 3]},{'pqr'[row % 3]},{x},{y}\n" for row, (x, y) in enumerate(ROWS)),
        ONE_HOT,
    ),
    "a level that is called as missing cells are": _file(
        "c,x,y\n" + "".join(f"{('(missing)', 'a', '')[row % 3]},{x},{y}\n" for row, (x, y) in enumerate(ROWS)),
        {"preprocess": {"categorical": "one_hot", "missing": "level"}},
    ),
    "a category without a cell in the train split": _file(
        "c,s,x,y\n" + "".join(f",train,{x},{y}\n" for x, y in ROWS) + "d,test,1,2\n",
        {"preprocess": {"categorical": "one_hot", "missing": "level"}, "data": {"split": {"column": "s"}}},
    ),
    "two columns of words": _file(
        "a,b,x,y\n" + "".join(f"{'pqr'[row % 3]},{'uv'[row % 2]},{x},{y}\n" for row, (x, y) in enumerate(ROWS))
    ),
    "a missing target": _file("x,y\n1,\n" + "".join(f"{x},{y}\n" for x, y in ROWS)),
    "a German table": _file(
        "p;b;y\n" + "".join(
            f"{800 + 37 * row:,};{x};{y}\n".translate({44: ".", 46: ","}) for row, (x, y) in enumerate(ROWS)
        ),
        SEMICOLON,
    ),
    "commas for everything": _file("x;y\n1;2\n", {"data": {"delimiter": ";", "decimal": ",", "thousands": ","}}),
    "dots for everything": _file("x;y\n1;2\n2;4\n", {"data": {"delimiter": ";", "thousands": "."}}),
    "the decimal mark as delimiter": _file("x;y\n1,5;2\n2,5;4\n", {"data": {"decimal": ","}}),
    "decimal commas": _file("x;y\n" + "".join(f"{x};{y}\n" for x, y in ROWS).replace(".", ","), SEMICOLON),
    "a sum of others": _file(
        "a,b,x,y\n" + "".join(f"{a:.3f},{b:.3f},{x},{a + b:.3f}\n" for (x, b), a in zip(ROWS, X[::-1], strict=True))
    ),
    "a combination beside a column that is left out": _file(
        "a,b,id,x,y\n" + "".join(f"{row},{2 * row + 1},id{row},{x},{y}\n" for row, (x, y) in enumerate(ROWS)),
        {"data": {"ignore": ("id",)}},
    ),
    "points that may separate thousands": _file("p;y\n" + POINTS, SEMICOLON),
    "a logarithm of 0": _file(
        "a,x,y\n0,1,2\n" + "".join(f"{x * x},{x},{y}\n" for x, y in ROWS),
        {"data": {"features": ["x", "log(a)", "log(a):x"]}},
    ),
    "a power beyond float64": _file(
        "a,x,y\n1e40,1,2\n" + "".join(f"{x},{x},{y}\n" for x, y in ROWS), {"data": {"features": ["x", "a^9"]}}
    ),
    "a power of a category": _file(
        "c,x,y\n" + "".join(f"{'abc'[row % 3]},{x},{y}\n" for row, (x, y) in enumerate(ROWS)),
        {**ONE_HOT, "data": {"features": ["x", "x:c^2"]}},
    ),
    "products of many levels": _file(
        "c,d,x,y\n" + "".join(f"{'abc'[row % 3]},{'pqrs'[row % 4]},{x},{y}\n" for row, (x, y) in enumerate(ROWS)),
        {"data": {"features": ["x", "c:d"]}, "preprocess": {"categorical": "one_hot", "max_levels": 10}},
    ),
    "a cell that is no date": _file(
        "d,x,y\nsoon,1,2\n" + "".join(f"2020-01-{1 + row % 28},{x},{y}\n" for row, (x, y) in enumerate(ROWS)),
        {"data": {"features": ["*", "days(d)"]}},
    ),
    "an identifier": _file(
        "house_id,x,y\n" + "".join(f"{row * 7919 % 10007},{x},{y}\n" for row, (x, y) in enumerate(ROWS))
    ),
    "a split by hash in the order of the table": _file(
        "x,y\n" + "".join(f"{x},{y}\n" for x, y in ROWS),
        {"data": {"split": {"train": 0.5, "test": 0.5, "by": "hash", "shuffle": False}}},
    ),
    "a split by hash that draws no row": _file(
        "x,y\n" + "".join(f"{x},{y}\n" for x, y in ROWS),
        {"data": {"split": {"train": 0.96, "validation": 0.02, "test": 0.02, "by": "hash"}}},
    ),
    "weights and the mean of a target on a log scale": _file(
        "w,x,y\n" + "".join(f"{1 + row % 3},{x},{np.exp(y)}\n" for row, (x, y) in enumerate(ROWS)),
        {"data": {"weight": "w"}, "preprocess": {"target_transform": "log", "target_estimate": "mean"}},
    ),
}  # fmt: skip


#: what is in a format with types -> its columns
TYPED = {
    "a typed category": {"col": pa.array(LEVELS).dictionary_encode(), "x": X},
    "a typed category of numbers": {"col": pa.array([1, 2, 3, 4] * (N // 4)).dictionary_encode(), "x": X},
    "numbers as text": {"col": NUMBERS, "x": X},
    "truths": {"col": [True, False] * (N // 2), "x": X},
    "only an index": {"index": X},
}
