"""`linreg stats` and `linreg stats merge`: the same bits in any order; parts that are not of one table are refused."""

import itertools
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from summarised import N_ROWS, parts, placed, table

from linreg_cli.statistics import opened
from linreg_cli.statistics.kept import as_bytes, read_statistics


@pytest.fixture
def place(linreg, tmp_path: Path) -> Path:
    return placed(tmp_path, table())


def cross_products(file: str) -> np.ndarray:
    """[1 Z]'[1 Z] about the means of the whole table, which do not depend on the parts."""
    moments = read_statistics(file).moments
    R = moments.about(moments.mean.round(6)).R
    return R.T @ R


@pytest.mark.parametrize("n_parts", [1, 2, 7, N_ROWS])
def test_any_division_gives_the_same(linreg, place, n_parts):
    linreg("stats", "-c", "c.yaml", "-o", "whole.safetensors")
    assert linreg("stats", "merge", *parts(linreg, n_parts), "-o", "m.safetensors").code == 0
    whole, merged = read_statistics("whole.safetensors"), read_statistics("m.safetensors")
    assert (merged.n_rows, merged.splits, merged.part) == (
        N_ROWS,
        {"train": N_ROWS, "validation": 0, "test": 0},
        (1, 1),
    )
    assert [each.levels for each in merged.columns] == [each.levels for each in whole.columns]
    assert [(each.low, each.high, each.gaps) for each in merged.columns] == [
        (each.low, each.high, each.gaps) for each in whole.columns
    ]
    np.testing.assert_allclose(cross_products("m.safetensors"), cross_products("whole.safetensors"), atol=1e-11)


def test_the_levels_gaps_and_extremes_are_those_of_pandas(linreg, place):
    linreg("stats", "-c", "c.yaml", "-o", "whole.safetensors")
    x, z, city, y = read_statistics("whole.safetensors").columns
    frame = table()
    assert (x.low, x.high, z.gaps, y.role) == (frame.x.min(), frame.x.max(), frame.z.isna().sum(), "target")
    assert city.levels == frame.city.value_counts().sort_index().to_dict()


def test_the_order_of_the_files_changes_no_bit(linreg, place):
    files = parts(linreg, 3)
    found = set()
    for order in itertools.permutations(files):
        assert linreg("stats", "merge", *order, "-o", "m.safetensors").code == 0
        found.add(Path("m.safetensors").read_bytes())
    assert len(found) == 1
    assert linreg("stats", "merge", "m.safetensors", "-o", "again.safetensors").code == 0
    assert Path("again.safetensors").read_bytes() in found


def test_a_parquet_file_and_its_rows_in_several_row_groups_give_the_numbers_of_the_csv(linreg, place):
    linreg("stats", "-c", "c.yaml", "-o", "csv.safetensors")
    pq.write_table(pa.Table.from_pandas(table(), preserve_index=False), "t.parquet", row_group_size=9)
    assert linreg("stats", "-c", "c.yaml", "--set", "data.path=t.parquet", "-o", "parquet.safetensors").code == 0
    np.testing.assert_allclose(cross_products("parquet.safetensors"), cross_products("csv.safetensors"), atol=1e-11)


def test_numbers_that_are_written_otherwise_in_some_rows_are_those_of_the_whole_table(linreg, place):
    linreg("stats", "-c", "c.yaml", "-o", "whole.safetensors")
    lines = Path("t.csv").read_text().splitlines()
    for row in (3, 44, 45):
        x, z, rest = lines[row].split(",", 2)
        lines[row] = f"  {x} ,{z or ' NA '},{rest}"
    Path("t.csv").write_text("\n".join(lines))
    for n_parts in (1, 3):
        assert linreg("stats", "merge", *parts(linreg, n_parts), "-o", "m.safetensors").code == 0
        np.testing.assert_allclose(cross_products("m.safetensors"), cross_products("whole.safetensors"), atol=1e-11)
    Path("t.csv").write_text("\n".join(lines).replace("  ", "$"))
    done = linreg("stats", "-c", "c.yaml", "--part", "3/3", "-o", "p.safetensors")
    assert done.code == 3
    assert done.err == linreg("inspect", "-c", "c.yaml").err


def test_a_category_that_looks_like_an_identifier_is_refused_as_on_the_rows(linreg, place):
    frame = table().assign(name=[f"id {row}" for row in range(N_ROWS)])
    frame.to_csv("t.csv", index=False)
    assert linreg("stats", "merge", *parts(linreg, 2), "-o", "m.safetensors").code == 0
    done, expected = linreg("inspect", "-c", "c.yaml", "--stats", "m.safetensors"), linreg("inspect", "-c", "c.yaml")
    assert (done.code, "61 levels in 61 cells, such as 'id 0'" in done.err) == (3, True), done.err
    assert done.err.removeprefix("error: m.safetensors") == expected.err.removeprefix("error: t.csv")


def test_rows_that_are_dropped_and_other_splits_are_counted_and_left_out(linreg, place):
    frame = table()
    frame["fold"] = ["train", "test", "train", "validation"] * 15 + ["train"]
    frame.to_csv("t.csv", index=False)
    options = ("--set", "data.split={column: fold}", "--set", "preprocess.missing=drop")
    assert linreg("stats", "merge", *parts(linreg, 4, *options), "-o", "m.safetensors").code == 0
    found, kept = read_statistics("m.safetensors"), frame.dropna()
    assert found.n_dropped == frame.z.isna().sum()
    assert found.splits == kept.fold.value_counts().to_dict()
    assert found.moments.n == (kept.fold == "train").sum()


# Refusals


def refused(linreg, *arguments: str) -> str:
    done = linreg("stats", "merge", *arguments, "-o", "m.safetensors")
    assert done.code == 3
    assert not Path("m.safetensors").exists()
    return done.err


def test_a_missing_part_is_named_with_the_command_that_makes_it(linreg, place):
    files = parts(linreg, 3)
    assert "1 part of 3 is missing: 2/3" in (said := refused(linreg, files[0], files[2]))
    assert "linreg stats -c CONFIG --part 2/3 -o FILE" in said


def test_a_part_that_is_there_twice_is_named_with_its_file(linreg, place):
    files = parts(linreg, 2)
    Path("copy.safetensors").write_bytes(Path(files[0]).read_bytes())
    said = refused(linreg, *files, "copy.safetensors")
    assert "copy.safetensors" in said
    assert f"part 1/2 is in {files[0]} already" in said


def test_parts_of_another_division_config_or_table_are_refused_each_with_what_differs(linreg, place):
    one, two = parts(linreg, 2)
    three = parts(linreg, 3)[1]
    assert "this is part 2/3, and p1-2.safetensors is part 1/2" in refused(linreg, one, two, three)
    linreg("stats", "-c", "c.yaml", "--part", "2/2", "--set", "preprocess.missing=drop", "-o", "other.safetensors")
    assert "the config differs from that of p1-2.safetensors: preprocess.missing: drop is" in refused(
        linreg, one, "other.safetensors"
    )
    table(N_ROWS - 1).to_csv("t.csv", index=False)
    linreg("stats", "-c", "c.yaml", "--part", "2/2", "-o", "shorter.safetensors")
    assert "the part is of another table than p1-2.safetensors" in refused(linreg, one, "shorter.safetensors")


def test_settings_of_training_may_differ(linreg, place):
    one, _ = parts(linreg, 2)
    options = ("--set", "optimizer.lr=0.5", "--set", "preprocess.standardize=false", "--set", "preprocess.missing=mean")
    frame = table()
    frame.loc[frame.z.isna(), "z"] = 0.0
    linreg("stats", "-c", "c.yaml", "--part", "2/2", *options, "-o", "other.safetensors")
    assert linreg("stats", "merge", one, "other.safetensors", "-o", "m.safetensors").code == 0


def test_numbers_in_one_part_and_text_in_another_are_refused(linreg, place):
    frame = table()
    frame.insert(0, "code", ["7"] * 61)
    frame.to_parquet("t.parquet")
    options = ("--set", "data.path=t.parquet")
    one, two = parts(linreg, 2, *options)
    found = read_statistics(two)
    numbers = [json.loads(json.dumps(each.kind)) for each in found.columns]
    assert numbers[0] == "text"
    changed = found.columns[0].__class__("code", "feature", "number", is_category=False)
    from dataclasses import replace

    Path(two).write_bytes(as_bytes(replace(found, columns=(changed, *found.columns[1:]))))
    assert "column 'code' is numbers here and a category of text in" in refused(linreg, one, two)


def test_text_after_the_first_rows_of_a_column_of_numbers_is_refused_with_what_reads_it_in_every_part(
    linreg, place, monkeypatch
):
    monkeypatch.setattr(opened, "_FIRST_ROWS", 20)
    table().assign(code=["7", "8"] * 15 + ["7", "u"] * 15 + ["7"]).to_csv("t.csv", index=False)
    done = linreg("stats", "-c", "c.yaml", "--part", "2/2", "-o", "p.safetensors")
    assert done.code == 3
    assert "t.csv, row 32, column 'code': 'u' is not a number, and those of the first rows" in done.err
    assert "set preprocess.columns: {code: {categorical: one_hot}} to use the column as text" in done.err
    options = ("--set", "preprocess.columns={code: {categorical: one_hot}}")
    assert linreg("stats", "merge", *parts(linreg, 2, *options), "-o", "m.safetensors").code == 0
    [code] = [each for each in read_statistics("m.safetensors").columns if each.column == "code"]
    assert code.levels == {"7": 31, "8": 15, "u": 15}


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda content: content[:-40], "damaged"),
        (lambda content: content[:30], "the file holds no statistics"),
        (lambda content: content[:-9] + b"\x01" + content[-8:], "its digest is not that of its content"),
        (
            lambda content: content.replace(b'{\\"format\\": 1,', b'{\\"format\\": 9,'),
            "have format 9, and this version",
        ),
        (lambda content: b"", "the file holds no statistics"),
        (lambda content: b"x,y\n1,2\n", "the file holds no statistics"),
        (lambda content: b"\x02\0\0\0\0\0\0\0{}", "the file holds no statistics"),
        (lambda content: content.replace(b"linreg_stats", b"linreg_Stats"), "the file holds no statistics"),
    ],
)
def test_a_file_that_is_damaged_newer_or_something_else_is_refused(linreg, place, damage, said):
    linreg("stats", "-c", "c.yaml", "-o", "whole.safetensors")
    content = damage(Path("whole.safetensors").read_bytes())
    Path("whole.safetensors").write_bytes(content)
    assert said in refused(linreg, "whole.safetensors")


def test_a_file_that_is_not_there_and_one_that_is_named_twice(linreg, place):
    assert "cannot be read: No such file" in refused(linreg, "gone.safetensors")
    one, _ = parts(linreg, 2)
    done = linreg("stats", "merge", one, one, "-o", "m.safetensors")
    assert (done.code, "named twice" in done.err) == (2, True)


@pytest.mark.parametrize("part", ["0/3", "4/3", "1", "1/0", "-1/3", "a/b", "1/3/3", "99999999999/99999999999"])
def test_a_part_that_is_none_is_refused(linreg, place, part):
    done = linreg("stats", "-c", "c.yaml", "--part", part, "-o", "p.safetensors")
    assert (done.code, "such as 1/3" in done.err) == (2, True)


def test_more_parts_than_rows_are_refused(linreg, place):
    done = linreg("stats", "-c", "c.yaml", "--part", "1/62", "-o", "p.safetensors")
    assert (done.code, "62 parts are more than the 61 rows" in done.err) == (3, True)


@pytest.mark.parametrize(
    ("setting", "code", "said"),
    [
        ("data={source: synthetic}", 2, "linreg generate-data"),
        ("data.split={train: 0.5, test: 0.5}", 2, "data.split.by: hash"),
        ("data.features=['x:city^2']", 3, "city^2 needs numbers, and city is a category"),
        ("preprocess.missing=error", 3, "row 21, column 'z'"),
        ("preprocess.categorical=error", 3, "row 1, column 'city'"),
        ("preprocess.max_levels=3", 3, "at least 5 levels"),
        ("preprocess.target_transform=log", 3, "log needs values"),
    ],
)
def test_what_statistics_cannot_hold_is_refused_with_its_place(linreg, place, setting, code, said):
    done = linreg("stats", "-c", "c.yaml", "--set", setting, "-o", "p.safetensors")
    assert (done.code, Path("p.safetensors").exists()) == (code, False)
    assert said in done.err


def test_what_is_read_and_written_is_shown(linreg, place):
    done = linreg("stats", "-c", "c.yaml", "--part", "2/3", "-o", "p.safetensors", "--json")
    assert json.loads(done.out) == {
        "path": "p.safetensors", "part": [2, 3], "rows": 20, "dropped": 0,
        "splits": {"train": 20, "validation": 0, "test": 0}, "columns": 7,
    }  # fmt: skip
    assert "part 2/3: 20 rows" in linreg("stats", "-c", "c.yaml", "--part", "2/3", "-o", "p.safetensors").out
    assert linreg("stats", "-c", "c.yaml").code == 2
    assert linreg("stats", "-o", "p.safetensors").code == 2
    assert linreg("stats", "-c", "c.yaml", "-o", "p.csv").code == 2


def test_the_rows_of_a_split_by_hash_are_those_of_a_plain_run(linreg, place):
    options = ("--set", "data.split={train: 0.7, test: 0.3, by: hash}", "--set", "preprocess.missing=drop")
    assert linreg("stats", "merge", *parts(linreg, 5, *options), "-o", "m.safetensors").code == 0
    done = linreg("train", "-c", "c.yaml", *options, "--json")
    found, metrics = read_statistics("m.safetensors"), json.loads(done.out)["metrics"]
    assert found.splits == {"train": metrics["train"]["n"], "validation": 0, "test": metrics["test"]["n"]}


def test_values_whose_squares_overflow_are_refused_all_at_once(linreg, tmp_path: Path):
    rng = np.random.default_rng(3)
    signs = np.where(rng.random(50) < 0.5, 1.7e308, -1.7e308)
    rows = {"x": rng.standard_normal(50), "large": 1e200 * rng.standard_normal(50), "ends": signs}
    pd.DataFrame(rows | {"y": rng.standard_normal(50)}).to_csv(tmp_path / "t.csv", index=False)
    (tmp_path / "c.yaml").write_text("data: {path: t.csv, target: y}\ntrain: {batch_size: full}\n")
    for part in ([], ["--part", "2/2"]):
        found = linreg("stats", "-c", "c.yaml", *part, "-o", "s.safetensors")
        assert found.code == 3
        named = [column for column in ("x", "large", "ends", "y") if f"column '{column}'" in found.err]
        assert named == ["large", "ends"]
        assert "values from -1.7e+308 to 1.7e+308 cannot be squared and added up in float64" in found.err
        assert "Warning" not in found.err
    assert not (tmp_path / "s.safetensors").exists()


def test_missing_cells_are_counted_in_a_part_without_train_rows(linreg, tmp_path: Path):
    rng = np.random.default_rng(3)
    x, split = rng.standard_normal(60), ["train"] * 30 + ["validation"] * 30
    x[[2, 40, 41]] = np.nan
    pd.DataFrame({"x": x, "s": split, "y": rng.standard_normal(60)}).to_csv(tmp_path / "t.csv", index=False)
    config = (
        "data: {path: t.csv, target: y, split: {column: s}}\npreprocess: {missing: mean}\ntrain: {batch_size: full}\n"
    )
    (tmp_path / "c.yaml").write_text(config)
    linreg("stats", "-c", "c.yaml", "-o", "whole.safetensors")
    assert linreg("stats", "merge", *parts(linreg, 2), "-o", "merged.safetensors").code == 0
    for file in ("whole", "merged", "p1-2"):
        found = {each.column: each for each in read_statistics(f"{file}.safetensors").columns}
        assert (found["x"].kind, found["x"].missing, found["x"].gaps) == ("number", 1 if file == "p1-2" else 3, 1)


def test_a_row_of_too_many_cells_is_not_said_to_be_the_row_of_its_block(linreg, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = ["x,y", *(f"{row},{row % 7}" for row in range(300_000))]
    lines[250_001] += ",1,2"
    (tmp_path / "t.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "c.yaml").write_text("data: {path: t.csv, target: y}\noptimizer: {lr: 0.1}\n")
    found = linreg("stats", "-c", "c.yaml", "-o", "s.stats")
    assert found.code == 3
    assert "Expected 2 columns, got 4" in found.err
    assert "Row #" not in found.err
    whole = linreg("inspect", "-c", "c.yaml")  # the remedy
    assert whole.code == 3
    assert "250002" in whole.err.replace(",", "")  # of the file, with its header


def test_more_columns_than_a_memory_limit_holds_are_refused_at_the_limit(linreg, tmp_path, monkeypatch):
    """That of 501 columns takes 8 * 502 * (4,096 + 8 * 502) bytes, 31.07 MiB; a reader may take 3/8 of a limit."""
    monkeypatch.chdir(tmp_path)
    for name, n_rows in (("t", 4_000), ("few", 20)):
        rows = np.arange(float(n_rows))
        pq.write_table(pa.table({**{f"x{k}": rows ** (k % 3) for k in range(500)}, "y": rows}), f"{name}.parquet")
    Path("c.yaml").write_text("data: {path: t.parquet, target: y, memory_limit: 48MiB, split: {train: 1.0}}\n")
    refused = linreg("stats", "-c", "c.yaml", "-o", "s.stats")
    assert refused.code == 2
    message = "data.memory_limit: the factor of 501 columns takes 31.07 MiB, and reading leaves 30 MiB of the limit"
    assert f"c.yaml:1:50: {message}" in refused.err
    [remedy] = re.findall(r"set data.memory_limit: '(\w+)'", refused.err)
    assert remedy == "51MiB"
    assert linreg("stats", "-c", "c.yaml", "--set", f"data.memory_limit={remedy}", "-o", "s.stats").code == 0
    assert linreg("stats", "-c", "c.yaml", "--set", "data.path=few.parquet", "-o", "few.stats").code == 0
