"""The pictures of a run come from its folder alone."""

import shutil

import pytest
from conftest import CONFIGS

from linreg_cli.errors import StoreError, UsageError
from linreg_cli.figures.of_run import draw_run, overlay
from linreg_cli.runs.store import RunFolder

TWO_TARGETS = """
name: two
data: {source: inline, columns: [x, y, "z/w"], rows: [[1, 2, 3], [2, 4, 1], [3, 6, 2]], target: [y, "z/w"]}
plots: false
"""


@pytest.fixture
def train(linreg, tmp_path):
    def run(config, *arguments):
        result = linreg("train", "-c", config, "--set", "plots=false", "--json", *arguments)
        assert result.code in (0, 4), result.err
        return RunFolder(max((tmp_path / "outputs").iterdir(), key=lambda path: path.stat().st_mtime_ns))

    return run


@pytest.mark.parametrize(
    ("config", "kinds"),
    [
        ("points.yaml", {"loss", "fit", "predicted", "residuals", "coefficients", "path"}),
        ("smoke.yaml", {"loss", "predicted", "residuals", "coefficients"}),
    ],
)
def test_a_run_gets_the_pictures_that_suit_it(train, config, kinds):
    pictures = draw_run(train(CONFIGS / config), (), "png")
    assert set(pictures) == {f"{kind}.png" for kind in kinds}
    assert all(content.startswith(b"\x89PNG") for content in pictures.values())


def test_a_moved_run_without_its_table_is_drawn_the_same(train, tmp_path):
    run = train(CONFIGS / "points.yaml")
    before = draw_run(run, ("fit",), "svg")
    shutil.move(run.path, tmp_path / "elsewhere" / run.id)
    assert draw_run(RunFolder(tmp_path / "elsewhere" / run.id), ("fit",), "svg") == before


def test_several_targets_get_a_picture_each_under_a_safe_name(train, config_file):
    pictures = draw_run(train(config_file(TWO_TARGETS)), ("fit", "predicted"), "png")
    assert set(pictures) == {"fit-y.png", "fit-z_w.png", "predicted-y.png", "predicted-z_w.png"}


def test_a_picture_that_the_run_cannot_have_is_refused_with_the_reason(train):
    with pytest.raises(UsageError, match=r"no fit picture.*more than one feature.*loss, gap, predicted, residuals"):
        draw_run(train(CONFIGS / "smoke.yaml"), ("fit",), "png")


def test_a_diverged_run_shows_its_loss_and_its_path_and_nothing_else(train):
    run = train(CONFIGS / "noisy_line.yaml", "--set", "optimizer.lr=4e-4", "--force")
    assert set(draw_run(run, (), "png")) == {"loss.png", "path.png"}
    with pytest.raises(UsageError, match="its status is diverged"):
        draw_run(run, ("predicted",), "png")


def test_an_overlay_names_every_run(train):
    runs = [train(CONFIGS / "gd.yaml"), train(CONFIGS / "sgd.yaml")]
    text = overlay(runs, "svg")[""].decode()
    # Text in an SVG is drawn as glyphs, and matplotlib keeps the string in a comment beside them.
    assert all(run.id in text for run in runs)


def test_a_damaged_history_is_named(train):
    run = train(CONFIGS / "gd.yaml")
    (run.path / "history.csv").write_text("a,b\n1,2\n")
    with pytest.raises(StoreError, match=r"history\.csv: the run is damaged"):
        draw_run(run, ("loss",), "png")
