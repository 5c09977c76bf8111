"""A table in several files: the parts of a folder and the files of a pattern are one table, as pandas concatenates."""

import gzip
import os

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from reading import error_of, load

from linreg_cli.data.tables import blocks, csv_part
from linreg_cli.data.tables.location import locate

TEXTS = {
    "a-1.csv": "x,town,y\n1,Ulm,2\n2,Aue,4\n",
    "a-10.csv": "x,town,y\n10,Ulm,20\n",
    "a-2.csv": "x,town,y\n3,Bonn,6\n4,Ulm,8.5\n",
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "parts").mkdir()
    for name, text in TEXTS.items():
        (tmp_path / "parts" / name).write_text(text)
    return tmp_path / "parts"


def rows(path, **data):
    dataset = load(path, ignore=("town",), **data)
    return [tuple(float(dataset.columns[name][row]) for name in ("x", "y")) for row in range(dataset.n_samples)]


@pytest.mark.parametrize("path", ["parts", "parts/", "parts/*.csv", "parts/a-*", "parts/a-[12]*.csv", "**/*.csv"])
def test_parts_are_one_table_in_the_order_of_their_names(folder, path):
    frame = pd.concat([pd.read_csv(folder / name) for name in sorted(TEXTS)])
    assert rows(path) == list(zip(frame.x, frame.y, strict=True)) == [(1, 2), (2, 4), (10, 20), (3, 6), (4, 8.5)]


def test_compressed_parts_and_what_is_no_part(folder):
    (folder / "a-2.csv.gz").write_bytes(gzip.compress((folder / "a-2.csv").read_bytes()))
    (folder / "a-2.csv").unlink()
    (folder / "_SUCCESS").touch()
    (folder / ".a-1.csv.crc").write_bytes(b"crc\0")
    (folder / "._a-3.csv").write_text("x\n")
    (folder / "_temporary").mkdir()
    (folder / "README.md").write_text("rows of June")
    (folder / "a-3.csv").write_text("x,town,y\n")  # a writer that had no row
    assert rows("parts") == [(1, 2), (2, 4), (10, 20), (3, 6), (4, 8.5)]
    assert [os.path.basename(file) for file in locate("parts").files] == [
        "a-1.csv", "a-10.csv", "a-2.csv.gz", "a-3.csv"
    ]  # fmt: skip


def test_columns_are_found_by_name_in_each_part(folder):
    (folder / "a-2.csv").write_text("y,x,town\n6,3,Bonn\n8.5,4,Ulm\n")
    assert rows("parts") == [(1, 2), (2, 4), (10, 20), (3, 6), (4, 8.5)]


def test_headers_that_differ_are_refused(folder):
    (folder / "a-2.csv").write_text("x,towm,y\n3,Bonn,6\n")
    (folder / "a-10.csv").write_text("x,y\n3,6\n")
    message = error_of("parts")
    same = "the parts of a table have the same columns, in any order"
    assert message == (
        f"parts/a-10.csv: column 'town' of parts/a-1.csv is missing here; {same}\n"
        "parts/a-2.csv: column 'town' of parts/a-1.csv is missing here; "
        f"column 2 is 'towm', which parts/a-1.csv does not have; did you mean 'town'?; {same}"
    )


def test_columns_of_one_name_must_stand_in_one_order(folder):
    for name, header in (("a-1.csv", "x,x,y"), ("a-10.csv", "x,x,y"), ("a-2.csv", "y,x,x")):
        (folder / name).write_text(f"{header}\n1,2,3\n")
    assert error_of("parts") == "parts/a-2.csv: two columns have one name, and their order is not that of parts/a-1.csv"


def test_mixed_formats_are_refused_with_their_names(folder):
    (folder / "b.tsv").write_text("x\ttown\ty\n3\tBonn\t6\n")
    pq.write_table(pa.table({"x": [1]}), folder / "c.parquet")
    expected = "the parts of a table have one format, and here are a-1.csv, b.tsv, c.parquet; "
    assert error_of("parts") == f"parts: {expected}choose those of one with a pattern, such as *.csv"
    assert rows("parts/*.csv") == [(1, 2), (2, 4), (10, 20), (3, 6), (4, 8.5)]


def test_a_message_names_the_part_and_its_row(folder):
    (folder / "a-2.csv").write_text("x,town,y\n3,Bonn,6\nfour,Ulm,8.5\n")
    where = f"parts, row 5 (row 2 of {os.path.join('parts', 'a-2.csv')}), column 'x': "
    assert error_of("parts", features=("x",)).startswith(where)
    (folder / "a-2.csv").write_text("x,town,y\n3,Bonn,6\n4,Ulm\n")
    assert error_of("parts", features=("x",)).startswith(
        "parts/a-2.csv, line 3: 2 cells, and the header has 3: '4,Ulm'"
    )
    (folder / "a-2.csv").write_text("")
    assert error_of("parts") == "parts/a-2.csv: the file is empty"


def test_a_message_names_the_part_of_a_typed_table(folder):
    for name in TEXTS:
        (folder / name).unlink()
    pq.write_table(pa.table({"x": [1.0, 2.0], "y": [1.0, 2.0]}), folder / "a.parquet")
    pq.write_table(pa.table({"x": [1.0, 2.0, 3.0], "y": [1.0, 2.0, float("inf")]}), folder / "b.parquet")
    assert error_of("parts").startswith("parts, row 5 (row 3 of parts/b.parquet), column 'y': ")


def test_a_column_has_one_type_in_all_parts(folder):
    """A leading zero in a later part makes the column text in all of them, as in one file."""
    (folder / "a-2.csv").write_text("x,town,y\n03,Bonn,6\n4,Ulm,8\n")
    whole = "x,town,y\n" + "".join((folder / name).read_text().split("\n", 1)[1] for name in sorted(TEXTS))
    (folder.parent / "whole.csv").write_text(whole)
    of_parts, of_one = (error_of(path, features=("x",)) for path in ("parts", "whole.csv"))
    assert "row 4 (row 1 of parts/a-2.csv)" in of_parts
    assert of_parts.replace("parts, row 4 (row 1 of parts/a-2.csv)", "whole.csv, row 4") == of_one


def test_parts_are_read_in_blocks_with_the_bits_of_one_file(tmp_path, monkeypatch):
    stream = np.random.default_rng(3)
    frame = pd.DataFrame(stream.normal(size=(900, 3)), columns=["a", "b", "y"])
    frame.to_csv(tmp_path / "whole.csv", index=False)
    (tmp_path / "parts").mkdir()
    for number, start in enumerate(range(0, 900, 250)):
        part = frame[start : start + 250]
        part[["y", "b", "a"] if number else ["a", "b", "y"]].to_csv(tmp_path / "parts" / f"{number}.csv", index=False)
    sizes = []
    read = csv_part.line_blocks

    def watched(opened, size):
        for block in read(opened, 2_000):
            sizes.append(len(block))
            yield block

    monkeypatch.setattr(csv_part, "line_blocks", watched)
    one, several = load(tmp_path / "whole.csv"), load(tmp_path / "parts")
    assert max(sizes) <= 2_100 < 900 * 3 * 8
    assert one.features == several.features
    assert one.fingerprint() == several.fingerprint()
    assert blocks.BLOCK_BYTES == 2**20


def test_what_is_really_called_so_comes_first(folder):
    (folder / "a-[12].csv").write_text("x,town,y\n7,Ulm,14\n")
    assert rows("parts/a-[12].csv") == [(7, 14)]
    (folder.parent / "new[1]").mkdir()
    (folder.parent / "new1").mkdir()
    (folder.parent / "new[1]" / "q.csv").write_text("x,town,y\n9,Ulm,18\n")
    (folder.parent / "new1" / "p.csv").write_text("x,town,y\n8,Ulm,16\n")
    assert rows("new[1]/*.csv") == [(9, 18)]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("parts/b-*.csv", "no file matches the pattern b-*.csv in {}/parts"),
        ("nowhere/*/a.csv", "no file matches the pattern */a.csv in {}/nowhere, and there is no such folder"),
        (
            "par*",
            "the pattern matches parts, which is a folder; name the files more closely, or take its files with par*/*",
        ),
        (
            "*/*",
            "the pattern matches parts/notes.md, which linreg does not read as a table; name the files more closely, "
            "such as *.csv",
        ),
        ("empty", "the folder has no .csv, .tsv, .parquet, .arrow, .feather or .jsonl files"),
        (
            ".",
            "its folder parts has .csv files too, and linreg reads the files of one folder; name all of them with the "
            "pattern ./**/*.csv",
        ),
    ],
)
def test_what_is_no_table(folder, path, message):
    (folder / "notes.md").touch()
    (folder.parent / "empty").mkdir()
    assert error_of(path) == f"{path}: {message.format(folder.parent)}"


@pytest.mark.parametrize(("path", "what"), [("parts", "folder"), ("parts/*.csv", "pattern")])
def test_a_digest_is_of_one_file(folder, path, what):
    expected = f"{path}: data.sha256 is the digest of one file, and this is a {what}; remove it"
    assert error_of(path, sha256="0" * 64) == expected


def test_a_pattern_from_the_command_line_to_the_predictions(linreg, tmp_path):
    (tmp_path / "d").mkdir()
    for name, text in {"d/p-1.csv": "x;y\n1;2\n2;4\n3;7\n", "d/p-2.csv": "y;x\n9;4\n11;5\n"}.items():
        (tmp_path / name).write_text(text)
    trained = linreg("train", "d/p-*.csv", "--target", "y", "-q", "--set", "plots=false")
    assert (trained.code, trained.out) == (0, "outputs/p-0001\n")
    again = linreg("train", "-c", "outputs/p-0001/config.yaml", "-q")
    assert again.code == 0
    metrics = [(tmp_path / f"outputs/p-000{n}/metrics.json").read_text() for n in (1, 2)]
    assert metrics[0] == metrics[1]
    whole = linreg("predict", "p", "--data", "d/p-*.csv")
    assert whole.code == 0
    parts = [linreg("predict", "p", "--data", f"d/p-{n}.csv").out.splitlines() for n in (1, 2)]
    own = [line.split(";") for line in parts[1][1:]]
    assert whole.out.splitlines() == [*parts[0], *(f"{x};{y};{found}" for y, x, found in own)]
    found = linreg("evaluate", "p", "--data", "d", "--json")
    assert found.json["data"]["n"] == 5
    assert linreg("init", "d/p-*.csv", "--target", "y").out == "p.yaml\n"


def test_a_format_that_the_files_of_a_folder_do_not_have_is_refused(folder):
    message = "data.format: jsonl is not the format of the files in the folder, which are .csv; leave it out"
    assert message in error_of("parts", format="jsonl")
    assert len(rows("parts", format="csv")) == len(rows("parts"))


@pytest.mark.parametrize("name", ["rows.txt", "rows.data", "rows.DAT"])
def test_a_file_of_text_that_is_named_is_a_csv_and_no_part_of_a_folder(tmp_path, monkeypatch, linreg, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_text("x y\n" + "".join(f"{row} {2 * row % 7}\n" for row in range(12)))
    trained = linreg("train", name, "--target", "y", "-q", "--set", "plots=false")
    assert (trained.code, trained.out) == (0, "outputs/rows-0001\n")
    assert linreg("predict", "rows", "--data", name).out.startswith("x y prediction\n")
    assert "the folder has no .csv" in error_of(str(tmp_path))


def test_the_nearest_name_is_asked_for_where_there_is_no_such_file(folder, linreg):
    assert error_of("parts/a-1.csw").endswith("; did you mean 'parts/a-1.csv'?")
    assert error_of("parts/zzz.parquet").endswith(f"there is no such file (in {folder.parent})")
    assert linreg("validate", "a.yaml").err.endswith("cannot read the config: No such file or directory\n")
    for name in ("b.yaml", "config.yaml", "config.csv"):
        (folder.parent / name).touch()
    assert "did you mean" not in linreg("validate", "a.yaml").err  # all but the suffix is another name
    assert "; did you mean 'config.yaml'?" in linreg("validate", "confg.yaml").err
    (folder.parent / "gone.csv").symlink_to("nowhere")
    assert "did you mean" not in error_of("gone.csv")
