"""`linreg report`, `plot` and `runs list` of a sweep."""

import json
from pathlib import Path

import pytest
from report_pages import Page
from sweeping import made, written

GRID = {"optimizer.lr": [0.01, 0.1, 1.0], "data.path": ["/home/ann/secret/<b>.csv", "c.csv"]}


@pytest.fixture
def folder(tmp_path):
    """A sweep with a winner, and points that diverged."""
    found = made(
        GRID,
        lambda each: "diverged" if each["optimizer.lr"] == 1.0 else 1 / each["optimizer.lr"] + len(each["data.path"]),
        command="linreg sweep -c /home/ann/secret/a.yaml --set optimizer.lr=0.01,0.1,1",
        created="2026-11-29T20:00:00.000000Z",
        auto={"lr": {"value": 0.5, "why": "auto: <because>"}, "momentum": {"value": 0.5, "why": "x"}},
    )
    found.points[0].gates = False
    found.points[-1].status = "waiting"
    return written(found, tmp_path / "outputs")


def test_the_report_opens_with_what_was_found_and_has_the_picture_and_every_point(linreg, folder):
    result = linreg("report", "sweeps/a-0001")
    assert (result.code, result.out) == (0, "outputs/sweeps/a-0001/report.html\n")
    source = (folder.path / "report.html").read_text()
    page = Page(source)
    lead = source[source.index('class="lead"') :]
    assert lead.index("The winner is point 4 (optimizer.lr 0.1, data.path c.csv") < lead.index("<table")
    assert "auto would choose the rate 0.5 with the winner" in page.shown
    assert len(page.all("img")) == 1
    table = page.table("Points of the grid")
    header = ["point", "validation.loss", "optimizer.lr", "data.path", "gap", "status", "gates", "run", "seconds"]
    assert table[""] == header
    assert table["4 (winner)"][:3] == ["15", "0.1", "c.csv"]
    assert table["1"][1:3] == ["0.01", "<b>.csv"]
    assert table["1"][5] == "failed"
    assert table["6"][4] == "not begun"
    assert [row for row in table if row] == ["1", "2", "3", "4 (winner)", "5", "6"]
    assert "why it has diverged" in page.shown
    assert "/home/ann" not in source
    assert "secret" not in source
    assert linreg("report", folder.path, "-o", "again.html").code == 0
    assert Path("again.html").read_text() == source, "the same sweep gives the same bytes"
    assert linreg("report", "sweeps/a-0001", "-o", "-").out.strip() == source.strip()
    assert linreg("report", "sweeps/a", "--json").json == {
        "report": "outputs/sweeps/a-0001/report.html", "sweep": "a-0001",
    }  # fmt: skip


def test_the_picture_of_a_sweep_is_drawn_again(linreg, folder):
    result = linreg("plot", "outputs/sweeps/a-0001")
    assert (result.code, result.out) == (0, "outputs/sweeps/a-0001/sweep.png\n")
    assert linreg("plot", "sweeps/latest", "--format", "svg", "-o", "drawn").out == "drawn/sweep.svg\n"
    assert Path("drawn/sweep.svg").read_text().startswith("<?xml")
    refused = linreg("plot", "sweeps/a-0001", "--kind", "loss")
    assert (refused.code, "leave --kind, --scale and --x out" in refused.err) == (2, True)


def test_runs_of_a_sweep_are_listed(linreg, folder, tmp_path):
    for number, about in enumerate([{"id": "a-0001", "point": 1}, {"id": "b-0001", "point": 1}, None, "a-0001"], 1):
        run = tmp_path / "outputs" / f"a-{number:04d}"
        run.mkdir()
        (run / "run.json").write_text(
            json.dumps({"format": 1, "status": "finished", "created": "2026", "sweep": about})
        )
    listed = linreg("runs", "list", "--sweep", "a", "--json").json["runs"]
    assert [row["run"] for row in listed] == ["a-0001"]
    refused = linreg("runs", "list", "--sweep", "nothing")
    assert (refused.code, "there is no sweep 'nothing'; the last ones are: a-0001" in refused.err) == (6, True)


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", '{"format": 1}', '{"format": 99}', '{"format": "x"}', '{"format": 1, "points": [{"point": 2}]}'],
)
@pytest.mark.parametrize("command", [["report"], ["plot"], ["sweep", "--resume"]])
def test_a_damaged_sweep_is_said_to_be_damaged(linreg, folder, content, command):
    (folder.path / "sweep.json").write_text(content)
    result = linreg(*command, "outputs/sweeps/a-0001")
    assert result.code == 6
    assert "sweep.json" in result.err
    assert "damaged" in result.err or "newer than format" in result.err
