"""Numbers are rounded by their standard error, and stand below each other at the decimal mark."""

from decimal import Decimal

import pytest

from linreg_cli.decimals import MOST_DIGITS, at_mark, cut, place_of, placed, text_width


def written(text):
    return Decimal(text.replace(",", ""))


@pytest.mark.parametrize("scale", range(-12, 13))
def test_a_standard_error_has_four_digits_and_its_estimate_the_same_place(scale):
    error, estimate = 1.23456789 * 10.0**scale, -98.7654321 * 10.0**scale
    place = place_of(error)
    shown = placed(error, place), placed(estimate, place)
    assert float(written(shown[0])) == pytest.approx(error, rel=5e-4)
    assert float(written(shown[1])) == pytest.approx(estimate, abs=0.501 * 10.0**place)
    decimals = [text.lstrip("-").partition("e")[0].partition(".")[2] for text in shown]
    if -4 <= scale < 3:
        assert len(decimals[0]) == len(decimals[1]) == 3 - scale
    assert ("e" in shown[0]) == (scale <= -5)  # 1.2e-05 and less


def test_a_standard_error_that_is_rounded_up_keeps_its_digits():
    assert placed(0.99999, place_of(0.99999)) == "1.000"


def test_digits_before_the_decimal_mark_are_never_rounded_away():
    assert placed(123456.7, place_of(98765.0)) == "123,457"
    assert placed(123456.7, 4) == "123,457"


def test_an_estimate_has_no_more_digits_than_float64_can_be_trusted_with():
    place = place_of(1e-13, largest=1_000_000.0)
    assert len(placed(1_000_000.0, place).replace(",", "").replace(".", "")) == MOST_DIGITS


@pytest.mark.parametrize(("error", "shown"), [(None, "0.123457"), (0.0, "0.123457"), (float("inf"), "0.123457")])
def test_without_a_standard_error_a_number_has_six_digits(error, shown):
    assert placed(0.123456789, place_of(error)) == shown


def test_what_rounds_to_zero_has_no_sign():
    assert placed(-1e-9, -4) == "0.0000"
    assert placed(-1e-20, -12) == "0"


def test_marks_stand_below_each_other_whatever_the_column_holds():
    cells = at_mark(["estimate", "-20,178.1", "0.25", "7", "1.235e-09", "-", "<0.0001", "12 %"])
    assert len({text_width(cell) for cell in cells}) == 1
    numbers = [cell for cell in cells[1:] if "." in cell]
    assert len({cell.index(".") for cell in numbers}) == 1
    # A number without a mark ends where the others have theirs.
    assert cells[3].rstrip().__len__() == numbers[0].index(".")


def test_wide_characters_count_twice():
    assert [text_width(text) for text in ("abc", "城市", "e\u0301", "ｗ")] == [3, 4, 1, 2]
    assert {text_width(cell) for cell in at_mark(["城市", "1.5", "x"])} == {4}


@pytest.mark.parametrize("name", ["x" * 50, "城" * 30, "a城" * 20, "ab"])
def test_a_name_is_cut_in_its_middle_to_the_width(name):
    shown = cut(name, 20)
    assert text_width(shown) <= 20
    assert shown == name or (shown[0] == name[0] and shown[-1] == name[-1] and "…" in shown)
