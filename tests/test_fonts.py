"""Names in any script are drawn with any installed font that has them; else a warning says which lack one."""

import json

import pytest
from drawings import noisy
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib import font_manager

from linreg_cli.figures import fonts
from linreg_cli.figures.canvas import render
from linreg_cli.figures.residuals import residual_figure

#: A name in each of several scripts that DejaVu Sans lacks; an emoji is beyond U+FFFF, so are the last two letters.
NAMES = {
    "Chinese": "房价", "Japanese": "価格の", "Korean": "가격", "Devanagari": "मूल्य", "Thai": "ราคา", "Tamil": "விலை",
    "emoji": "💰", "Gothic": "𐌰𐌱",
}  # fmt: skip


def font_with(path, family: str, characters: str, *, empty: bool = False) -> None:
    """A font with a square for each character, or with a glyph without an outline."""
    pen = TTGlyphPen(None)
    if not empty:
        pen.moveTo((0, 0))
        pen.lineTo((500, 0))
        pen.lineTo((500, 700))
        pen.closePath()
    glyph, names = pen.glyph(), [f"g{ord(mark):x}" for mark in dict.fromkeys(characters)]
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder([".notdef", *names])
    builder.setupCharacterMap({ord(mark): f"g{ord(mark):x}" for mark in characters})
    builder.setupGlyf(dict.fromkeys([".notdef", *names], glyph))
    builder.setupHorizontalMetrics(dict.fromkeys([".notdef", *names], (600, 0)))
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": family, "styleName": "Regular"})
    builder.setupOS2(sTypoAscender=800)
    builder.setupPost()
    builder.save(path)


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install fonts as if they had been there when matplotlib made its list, or after it; no others are."""
    monkeypatch.setattr(fonts, "_families", {})
    own = [font for font in font_manager.fontManager.ttflist if "mpl-data" in str(font.fname)]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", own)
    paths: list[str] = []
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda *_, **__: paths)

    def install(family: str, characters: str, *, listed: bool = True, empty: bool = False) -> None:
        path = tmp_path / f"{family}.ttf"
        font_with(path, family, characters, empty=empty)
        paths.append(str(path))
        if listed:
            font_manager.fontManager.addfont(path)

    yield install
    fonts._own.cache_clear()


@pytest.mark.parametrize("listed", [True, False], ids=["listed", "new"])
@pytest.mark.parametrize("script", NAMES)
def test_a_name_is_drawn_with_whatever_font_has_it(install, script, listed):
    install("Some Font", NAMES[script], listed=listed)
    with fonts.noting_lacking() as lacking:
        figure = residual_figure(noisy(), target=NAMES[script], title=f"of {NAMES[script]}")
        text = render(figure, "svg").decode()
    assert lacking == {}
    label = figure.axes[0].xaxis.label
    assert label.get_text() == f"predicted {NAMES[script]}"
    assert label.get_fontfamily() == ["DejaVu Sans", "Some Font"]
    assert f"<!-- of {NAMES[script]} -->" in text
    assert "□" not in text


def test_characters_of_several_scripts_take_several_fonts_the_widest_first(install):
    install("All But One", "房价가격मूल्य")
    install("Only One", "ราคา")
    install("A Few", "房价")
    text, families = fonts.with_fonts("y 房价 가격 ราคา 💰")
    assert text == "y 房价 가격 ราคา □"
    assert families == ["DejaVu Sans", "All But One", "Only One"]


def test_a_font_without_an_outline_for_a_character_does_not_count(install):
    """As fonts whose emoji are pictures, which matplotlib cannot draw."""
    install("Colour Emoji", "💰", empty=True)
    with fonts.noting_lacking() as lacking:
        assert fonts.with_fonts("💰") == ("□", ["DejaVu Sans"])
    assert [*lacking] == ["💰"]


def test_a_damaged_font_is_passed_over(install, tmp_path):
    install("A Damaged", "房")
    (tmp_path / "A Damaged.ttf").write_bytes(b"\0" * 100)
    install("B Whole", "房")
    assert fonts.with_fonts("房") == ("房", ["DejaVu Sans", "B Whole"])


def test_no_other_font_is_opened_for_a_name_that_the_usual_one_has(install, monkeypatch):
    monkeypatch.setattr(fonts, "_installed", lambda: pytest.fail("looked for fonts"))
    assert fonts.with_fonts("größe цена τιμή السعر x₁² → 1 €") == ("größe цена τιμή السعر x₁² → 1 €", ["DejaVu Sans"])


def test_a_character_is_looked_for_once(install, monkeypatch):
    looked = []
    installed = fonts._installed
    monkeypatch.setattr(fonts, "_installed", lambda: looked.append(1) or installed())
    for _ in range(3):
        fonts.with_fonts("房价")
    fonts.with_fonts("价")
    assert looked == [1]


def test_where_no_font_has_a_name_one_warning_says_so_and_the_run_is_finished(linreg, tmp_path, install):
    (tmp_path / "t.csv").write_text("面积,卧室,房价\n" + "".join(f"{n},{n % 3},{2 * n + n % 5}\n" for n in range(20)))
    (tmp_path / "c.yaml").write_text("name: zh\ndata: {path: t.csv, target: 房价}\npreprocess: {standardize: true}\n")
    result = linreg("train", "-c", "c.yaml", "--fail-if", "warnings.font != 1")
    assert result.code == 0, result.err
    boxes = "warning: no installed font has the characters '{}', which pictures show as boxes; "
    boxes += "install a font that has them"
    said, all_said = (
        boxes.format("房价"),
        boxes.format("房价面积卧室"),
    )  # the picture of coefficients names the features
    assert [line for line in result.err.splitlines() if "font" in line] == [all_said]
    record = json.loads((tmp_path / "outputs" / "zh-0001" / "run.json").read_text())
    assert record["status"] == "finished"
    assert {"kind": "font", "message": all_said.removeprefix("warning: ")} in record["warnings"]
    drawn = linreg("plot", "zh-0001", "--kind", "predicted", "-o", "p")
    assert (drawn.code, drawn.err.splitlines()) == (0, [said])
    assert linreg("report", "zh-0001").err.splitlines() == [all_said]
    install("Some Font", "面积卧室房价")
    fonts._families.clear()
    assert linreg("plot", "zh-0001", "-o", "q").err == ""
