"""Texts of pictures: where they are wrapped, how small they become, what is left of very long ones."""

import pytest

from linreg_cli.figures.fonts import with_fonts
from linreg_cli.figures.labels import fitted, width_in_inches


@pytest.mark.parametrize(
    ("text", "inches", "lines"),
    [
        ("residual of foodexp (actual − predicted)", 3.6, ["residual of foodexp", "(actual − predicted)"]),
        ("train (3,500 of 14,133)", 2.2, ["train", "(3,500 of 14,133)"]),
        ("flattest direction (income 52 %, age 48 %)", 4.2, ["flattest direction", "(income 52 %, age 48 %)"]),
        ("steepest direction (displacement 19 %, cylinders 18 %)", 2.6,
         ["steepest direction", "(displacement 19 %,", "cylinders 18 %)"]),
        ("change of price for one standard deviation of the feature", 4.0,
         ["change of price for one standard", "deviation of the feature"]),
        ("weight of population_10k (standardised units)", 3.6, ["weight of population_10k", "(standardised units)"]),
        ("a_name_of_underscores_is_broken_after_them", 3.0, ["a_name_of_underscores_", "is_broken_after_them"]),
    ],
)  # fmt: skip
def test_lines_are_about_equally_long_and_keep_brackets_and_percentages_whole(text, inches, lines):
    found, _ = fitted(text, 15.0, inches)
    assert found.split("\n") == lines


@pytest.mark.parametrize("lines", [1, 2, 3])
@pytest.mark.parametrize("text", ["the yearly yield of the plot " * 10, "unbroken_" + "x" * 291, "居住面积" * 75])
def test_a_name_of_300_characters_keeps_its_ends_and_takes_no_more_lines_than_it_may(text, lines):
    found, font = fitted(text, 15.0, 4.0, lines=lines)
    drawn = found.split("\n")
    assert len(drawn) <= lines
    assert "…" in found
    shown, _ = with_fonts(text.strip())  # with boxes where no font here has the characters
    assert (found[0], found[-1]) == (shown[0], shown[-1])
    assert font["fontsize"] == pytest.approx(0.76 * 15.0)
    families = tuple(font.get("fontfamily", ("DejaVu Sans",)))
    assert max(width_in_inches(line, font["fontsize"], families) for line in drawn) <= 4.0


def test_a_word_that_fits_is_not_broken_and_a_short_text_is_not_touched():
    assert fitted("extraordinarily long", 15.0, 1.7)[0] == "extraordinarily\nlong"
    assert fitted("price", 15.0, 2.0) == ("price", {"fontsize": 15.0})
    assert fitted("", 15.0, 2.0)[0] == ""


def test_lines_of_an_english_label_go_from_left_to_right_whatever_name_they_begin_with():
    found, _ = fitted("steepest direction (עדד 28 %, price_per 27 %)", 17.0, 3.0)
    assert all(line.startswith("\u200e") for line in found.split("\n"))
    assert fitted("שטח", 17.0, 3.0)[0] == "שטח"  # a name alone goes as it is written
    marked, plain = (width_in_inches(f"{mark}rows", 17.0) for mark in ("\u200e", ""))
    assert marked == plain
