"""A report holds no folder of the machine on which a run was made, and no secret of an address."""

import json
import shlex

import pytest

from linreg_cli.cli.app import run as run_command
from linreg_cli.report import results
from linreg_cli.report.document import page_of
from linreg_cli.report.markup import text
from linreg_cli.report.private import paths_in, values_without_folders, without_folders
from linreg_cli.runs.store import RunFolder


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("/home/ann/t.csv", "t.csv"),
        ("path: /home/ann/deep/t.csv", "path: t.csv"),
        ("no file '/home/Ann Smith/my data/t.csv'", "no file 't.csv'"),
        ("/home/Ann Smith/out/gd-0001: training diverged", "gd-0001: training diverged"),
        ("~/tables/t.csv and ~ann/t.csv", "t.csv and t.csv"),
        ("C:\\Users\\ann\\t.csv", "t.csv"),
        ("\\\\server\\share\\t.csv", "t.csv"),
        ("file:///home/ann/t.csv", "t.csv"),
        ("sqlite:////home/ann/runs.db", "runs.db"),
        ("--outputs=/home/ann/out", "--outputs=out"),
        # what is no path of the machine
        ("1/2 of km/h, and/or, 2026/11/29", "1/2 of km/h, and/or, 2026/11/29"),
        ("outputs/gd-0001/config.yaml", "outputs/gd-0001/config.yaml"),
        ("https://example.org/folder/t.csv", "https://example.org/folder/t.csv"),
        ("https://example.org/t.csv?token=x", "https://example.org/t.csv?***"),
        ("</code></pre>", "</code></pre>"),
        ("delimiter: '/'", "delimiter: '/'"),
    ],
)
def test_of_a_path_the_name_is_left(given, shown):
    assert without_folders(given) == shown


def test_a_known_path_is_found_whatever_its_folders_are_called_and_however_it_is_wrapped():
    known = ["/srv/Ann's (old) data/t 1.csv"]
    assert without_folders("read /srv/Ann's (old) data/t 1.csv again", known) == "read t 1.csv again"
    assert without_folders("path: /srv/Ann's (old)\n  data/t 1.csv", known) == "path: t 1.csv"
    assert without_folders("beside it: /srv/Ann's (old) data/other.csv", known) == "beside it: other.csv"


def test_names_of_columns_stay():
    record = {"command": "linreg train -c /a/b/c.yaml", "data": {"targets": ["/a/b/c"], "name": "/a/b/t.csv"}}
    shown = values_without_folders(record)
    assert shown == {"command": "linreg train -c c.yaml", "data": {"targets": ["/a/b/c"], "name": "t.csv"}}
    assert paths_in("linreg 'train") == []


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The page of a run, and of two, that were made in a folder whose name is a secret, by absolute paths."""
    folder = tmp_path_factory.mktemp("x") / "Ann Smith's secret" / "deep folder"
    folder.mkdir(parents=True)
    (folder / "t.csv").write_text("a,y\n" + "".join(f"{x},{2 * x + x % 3}\n" for x in range(30)))
    for name in ("one", "two"):
        config = {
            "data": {"path": str(folder / "t.csv"), "target": "y"},
            "preprocess": {"standardize": True},
            "plots": False,
        }
        (folder / f"{name}.yaml").write_text(json.dumps(config))
        assert run_command(["train", "-c", str(folder / f"{name}.yaml"), "-q", "--outputs", str(folder / "out")]) == 0
    runs = [RunFolder(folder / "out" / f"{name}-0001") for name in ("one", "two")]
    for run in runs:
        record = run.read_json("run.json")
        address = "data.path=https://ann:pw@host/t.csv?sig=abc"
        record["command"] = shlex.join(["linreg", "train", "-c", f"{folder}/one.yaml", "--set", address])
        record["warnings"] = [{"kind": "leak", "message": f"see {folder}/t.csv, row 3"}]
        record["error"] = f"{folder}/out/one-0001: cannot write"
        run.write_json("run.json", record)
    other = folder / "other"
    other.mkdir()
    (other / "t.csv").write_text((folder / "t.csv").read_text())
    config = (runs[1].path / "config.yaml").read_text()
    (runs[1].path / "config.yaml").write_text(config.replace("deep folder/t.csv", "deep folder/other/t.csv"))
    with pytest.MonkeyPatch.context() as patch:  # pictures are base64, in which anything may stand, and take seconds
        patch.setattr(results, "pictures", lambda run, **_: text("pictures"))
        patch.setattr(results, "overlaid", lambda runs: text("loss"))
        return page_of(runs[:1]) + page_of(runs)


@pytest.mark.parametrize("secret", ["Smith", "secret", "deep folder", "other/", "ann:pw", "sig=abc", "/tmp"])
def test_a_page_has_no_folder_of_the_machine_and_no_secret(page, secret):
    assert secret not in page


def test_a_page_has_the_names_of_the_files_and_a_command_that_repeats_the_run(page):
    assert "path: t.csv" in page
    assert "linreg train -c outputs/one-0001/config.yaml" in page
    assert "https://***@host/t.csv?***" in page
