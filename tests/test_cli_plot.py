"""`linreg plot` draws a run again, or overlays several, and prints the paths that it wrote."""

import shutil

import pytest

CONFIG = """
name: {name}
data: {{source: synthetic, n_samples: 30, weights: {weights}, split: {{train: 0.5, test: 0.5}}}}
train: {{epochs: 2}}
plots: false
"""


@pytest.fixture
def runs(linreg, config_file):
    for name, weights in (("line", "[2]"), ("plane", "[2, 3]")):
        assert linreg("train", "-c", config_file(CONFIG.format(name=name, weights=weights)), "--quiet").code == 0


@pytest.mark.parametrize(
    ("run", "kinds"),
    [
        ("line", ["loss", "fit", "predicted", "residuals", "coefficients", "path"]),
        ("plane", ["loss", "predicted", "residuals", "coefficients"]),
    ],
)
def test_a_run_is_drawn_with_every_picture_that_it_has(linreg, runs, tmp_path, run, kinds):
    result = linreg("plot", run)
    assert (result.code, result.err) == (0, "")
    assert result.out.splitlines() == [f"outputs/{run}-0001/plots/{kind}.png" for kind in kinds]
    for path in result.out.splitlines():
        assert (tmp_path / path).read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(("format_", "magic"), [("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_kinds_format_and_folder_may_be_chosen(linreg, runs, tmp_path, format_, magic):
    result = linreg("plot", "line", "--kind", "fit", "--kind", "loss", "--format", format_, "-o", "deep/er", "--json")
    assert result.json == {"pictures": [f"deep/er/fit.{format_}", f"deep/er/loss.{format_}"]}
    for path in result.json["pictures"]:
        assert (tmp_path / path).read_bytes().startswith(magic)
    assert not (tmp_path / "outputs" / "line-0001" / "plots").exists()


def test_several_runs_are_overlaid_in_one_picture(linreg, runs, tmp_path):
    result = linreg("plot", "line", "plane")
    [path] = result.out.splitlines()
    assert path == "outputs/comparisons/loss-line-0001-plane-0001.png"
    assert (tmp_path / path).stat().st_size > 1000
    listed = linreg("runs", "list", "--json")
    assert (len(listed.json["runs"]), listed.err) == (2, "")  # the folder of comparisons is no run


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["line", "--kind", "los"], "error: --kind: unknown value 'los'; did you mean 'loss'?"),
        (["line", "--format", "PNG"], "error: --format: unknown value 'PNG'; did you mean 'png'?"),
        (["line", "--format", "gif"], "error: --format: unknown value 'gif'; allowed: png, svg, pdf"),
        (["plane", "--kind", "fit"], "error: run plane-0001 has no fit picture, because it has more than one feature"),
        (["line", "plane", "--kind", "fit"], "error: --kind: a fit picture shows one run"),
        ([], "error: Missing argument 'RUN...'"),
    ],
)
def test_a_picture_that_there_is_not_is_a_usage_error_and_writes_nothing(linreg, runs, tmp_path, arguments, message):
    before = sorted(tmp_path.rglob("*"))
    result = linreg("plot", *arguments)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith(message)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_run_that_was_copied_is_drawn_from_its_folder_alone(linreg, runs, tmp_path):
    shutil.move(tmp_path / "outputs" / "line-0001", tmp_path / "elsewhere")
    shutil.rmtree(tmp_path / "outputs")
    result = linreg("plot", "./elsewhere", "--kind", "fit")
    assert (result.code, result.out) == (0, "elsewhere/plots/fit.png\n")


@pytest.mark.parametrize("target", ["file", "file/sub"])
def test_a_folder_that_cannot_be_made_is_a_store_error(linreg, runs, tmp_path, target):
    (tmp_path / "file").write_text("x")
    result = linreg("plot", "line", "-o", target)
    assert result.code == 6
    assert result.err.startswith(f"error: {target}: cannot create the folder")


@pytest.mark.parametrize("content", ["", "epoch\n1\n", "a,b\n1\n"])
def test_a_damaged_history_is_a_store_error(linreg, runs, tmp_path, content):
    (tmp_path / "outputs" / "line-0001" / "history.csv").write_text(content)
    result = linreg("plot", "line", "--kind", "loss")
    assert (result.code, "Traceback" in result.err) == (6, False), result.err


def test_all_of_several_runs_is_every_kind_that_they_can_share(linreg, runs):
    result = linreg("plot", "line", "plane", "--kind", "all", "-o", "p")
    assert result.code == 0
    drawn = [path.split("/")[1].split("-")[0] for path in result.out.splitlines()]
    assert drawn == ["loss", "gap", "coefficients", "learning_curve"]
    assert result.err == (
        "warning: not drawn: path: line-0001 and plane-0001 were trained on other data, so they share no loss\n"
    )
