"""Whatever columns, texts and damaged files hold, the page shows it as text, or the run is damaged."""

import json
import random

import pytest
import report_pages
from report_pages import LEVELS, NAMES, TARGETS, Page, page, run_of

from linreg_cli.errors import StoreError
from linreg_cli.report.document import page_of
from linreg_cli.report.markup import MOST_ROWS, element, facts, name, table, text

# Fixtures of report_pages.py: pytest finds them by their names in this module.
outputs = report_pages.outputs
copy = report_pages.copy
undrawn = report_pages.undrawn


def test_whatever_columns_are_called_they_are_shown_as_text(outputs, undrawn):
    read = page(run_of(outputs, "hostile"))
    shown = [each.replace("\u202e", "\\u202e") for each in NAMES]
    for target in TARGETS:
        rows = list(read.table(f"Coefficients of {target}, in original units, classic standard errors"))
        levels = [f"kind={level}" for level in sorted(LEVELS)[1:]]
        assert rows == ["", *shown, *levels, "(bias)"]
    assert list(read.table("Columns used")) == ["", *shown, "kind", *TARGETS]
    assert "\u202e" not in read.shown  # would turn around what follows it


def test_texts_of_run_and_config_are_shown_as_text(copy, undrawn):
    run = copy("noisy_line")
    record = json.loads((run.path / "run.json").read_text())
    record |= {"label": "<b>the</b> & only", "command": "linreg '</code><script>'", "git_commit": "<img src=x>"}
    record |= {"error": "first <line>\nsecond & line\x00\x1b[31m", "platform": "</dd>", "created": "<time>"}
    record["data"] |= {"name": "</h1>", "warnings": ["<u>"], "fingerprint": '"><script>'}
    record["versions"] = {"<a>": "</a>"}
    (run.path / "run.json").write_text(json.dumps(record))
    config = (run.path / "config.yaml").read_text()
    (run.path / "config.yaml").write_text(f"# </pre></details><script>alert(1)</script>\n{config}")
    read = page(run)
    for said in ("<b>the</b> & only", "linreg '</code><script>'", "<img src=x>", "</dd>", "<time>", "</h1>", "<u>"):
        assert said in read.shown
    assert "first <line>\nsecond & line\\x00\\x1b[31m" in read.shown
    assert "# </pre></details><script>alert(1)</script>" in read.shown
    assert [tag for tag, _ in read.elements].count("script") == 1  # the one that sorts


def test_what_is_not_html_becomes_html_only_as_text():
    assert text('<a href="x">') == "&lt;a href=&quot;x&quot;&gt;"
    assert element("p", text("&"), aria_label='"', class_="c") == '<p aria-label="&quot;" class="c">&amp;</p>'
    assert name("\ud800\n") == "<bdi>\\ud800\\n</bdi>"
    assert Page(facts([("<dt>", text("<dd>")), ("none", None)])).facts == [["<dt>", "<dd>"]]


def test_long_tables_keep_their_order_and_fold_what_is_beyond_forty_rows():
    rows = [[text(f"r{row}"), text(str(row))] for row in range(MOST_ROWS + 3)]
    assert "details" not in table("t", ["a", "b"], rows[:MOST_ROWS])
    read = Page(table("t", ["a", "b"], rows))
    assert read.captions == ["t", "t, continued"]
    assert [row[0] for row in read.tables[0][1:]] == [f"r{row}" for row in range(MOST_ROWS)]
    assert [row[0] for row in read.tables[1][1:]] == ["r40", "r41", "r42"]
    assert "The other 3 of 43 rows" in read.shown


def test_a_picture_that_cannot_be_drawn_is_told_and_the_rest_is_there(copy):
    run = copy("known")
    (run.path / "history.csv").write_text("epoch\n1\n")
    run.remove("predictions.csv")
    read = page(run)
    assert "A picture could not be drawn: history.csv: the run is damaged" in read.shown
    assert "the run has no predictions.csv" in read.shown
    assert read.all("img") == []
    assert any(caption.startswith("Coefficients of y, in original units") for caption in read.captions)
    both = page(run, copy("undefined"))
    assert both.shown.count("history.csv: the run is damaged") == 2  # for the overlay and for the run


@pytest.mark.parametrize("missing", ["run.json", "config.yaml", "metrics.json"])
def test_a_run_without_its_files_is_damaged(copy, undrawn, missing):
    run = copy("known")
    run.remove(missing)
    with pytest.raises(StoreError, match=missing):
        page_of([run])


def leaves(values, path=()):
    if isinstance(values, dict | list) and values:
        for key, value in values.items() if isinstance(values, dict) else enumerate(values):
            yield from leaves(value, (*path, key))
    yield path


@pytest.mark.parametrize("file", ["run.json", "metrics.json"])
def test_whatever_a_value_is_replaced_by_the_page_is_whole_or_the_run_is_damaged(
    outputs, copy, undrawn, monkeypatch, file
):
    monkeypatch.setattr("linreg_cli.report.parameters._truth", lambda run: None)  # loads torch each time
    run, ends = copy("hostile"), set()
    good = run.read_json(file)
    paths = [path for path in leaves(good) if path]
    chance = random.Random(file)
    for path in chance.sample(paths, min(len(paths), 120)):
        values = json.loads(json.dumps(good))
        inner = values
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = chance.choice([None, "<b>", [], {}, -1, True, [[1]], {"x": {}}])
        run.write_json(file, values)
        try:
            page(*chance.choice([[run], [run_of(outputs, "known"), run]]))
            ends.add("whole")
        except StoreError:
            ends.add("damaged")
    assert ends == {"whole", "damaged"}
