"""The grammar of `data.features`: what is read, what is refused and why, and what `"*"` stands for."""

import pytest

from linreg_cli.config.terms import Factor, TermError, expand, parse, sources

COLUMNS = ["area", "rooms", "region", "sold", "lot:size", "price (USD)", "log(x)", "*x"]


@pytest.mark.parametrize(
    ("entry", "factors"),
    [
        ("area", [Factor("area")]),
        ("area:rooms", [Factor("area"), Factor("rooms")]),
        ("area^2", [Factor("area", None, 2)]),
        ("area ^9", [Factor("area", None, 9)]),
        ("log(area)", [Factor("area", "log")]),
        ("log1p( area )", [Factor("area", "log1p")]),
        ("sqrt(area) : rooms^3:region", [Factor("area", "sqrt"), Factor("rooms", None, 3), Factor("region")]),
        ("log(area):area", [Factor("area", "log"), Factor("area")]),
        ("lot:size", [Factor("lot:size")]),
        ("lot:size:rooms", [Factor("lot:size"), Factor("rooms")]),
        ("log(lot:size):price (USD)", [Factor("lot:size", "log"), Factor("price (USD)")]),
        ("price (USD)^2", [Factor("price (USD)", None, 2)]),
        ("log(x)", [Factor("log(x)")]),
        ("log(log(x))", [Factor("log(x)", "log")]),
        ("*x", [Factor("*x")]),
    ],
)
def test_an_entry_is_read_with_the_columns_at_hand(entry, factors):
    term = parse(entry, COLUMNS)
    assert (term.text, list(term.factors), term.part) == (entry, factors, None)


@pytest.mark.parametrize("part", ["days", "year", "month", "weekday", "hour"])
def test_a_part_of_a_date_has_one_column(part):
    term = parse(f"{part}(sold)", COLUMNS)
    assert (term.part, term.columns, term.is_plain) == (part, ("sold",), False)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("log10(area)", "there is no function 'log10', but log1p(); allowed are"),
        ("exp(area)", "there is no function 'exp'; allowed are a column, a:b"),
        ("area^1", "a power is a whole number from 2 to 9, found '1'"),
        ("area^10", "from 2 to 9, found '10'"),
        ("area^0.5", "from 2 to 9, found '0.5'"),
        ("area**2", "a power is written area^2"),
        ("area*rooms", "a product is written area:rooms"),
        ("area + rooms", "'+' has no meaning here"),
        ("log(area)^2", "a power is one of a column, found 'log(area)'"),
        ("log(sqrt(area))", "log() takes one column, found 'sqrt(area)'"),
        ("log(area:rooms)", "log() takes one column, found 'area:rooms'"),
        ("area:rooms:region:sold", "a product has two or three factors, found 4"),
        ("log(area", "a parenthesis is not closed"),
        ("area:", "a factor of the product is empty (character 6 of 'area:')"),
        ("month(sold):area", "month() of a date stands by itself"),
        ("area:area", "area is in the product twice; write area^2"),
        ("log(area):log(area)", "is in the product twice"),
        ("price (UDS):log2(area)", "there is no column 'price (UDS)'; did you mean 'price (USD)'?"),
    ],
)
def test_what_is_not_of_the_grammar_is_refused_with_the_reason(entry, words):
    with pytest.raises(TermError) as caught:
        parse(entry, COLUMNS)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("entry", "column"),
    [("aera", "aera"), ("log(aera)", "aera"), ("area:roms", "roms"), ("days(slod)", "slod"), ("aera^2", "aera")],
)
def test_a_column_that_is_not_there_is_named_with_the_nearest_one(entry, column):
    with pytest.raises(TermError, match=r"did you mean '(area|rooms|sold)'") as caught:
        parse(entry, COLUMNS)
    assert caught.value.column == column


def test_an_entry_that_is_nearly_a_column_is_taken_for_it():
    with pytest.raises(TermError, match=r"did you mean the column 'log2\(income\)'\?"):
        parse("log10(income)", ["log2(income)", "y"])


def test_two_readings_are_refused():
    with pytest.raises(TermError, match="can be read as 'a' times 'b:c' or as 'a:b' times 'c'"):
        parse("a:b:c", ["a", "b:c", "a:b", "c"])


def texts(entries, columns=("x", "sold", "z", "id", "y"), free=("x", "sold", "z")):
    terms, faults = expand(entries, columns, free)
    return [term.text for term in terms], [str(error) for _, error in faults]


def test_every_other_column_is_what_no_entry_names_or_takes_as_a_date():
    assert texts(["*"]) == (["x", "sold", "z"], [])
    assert texts(["*", "days(sold)", "hour(sold)"]) == (["x", "z", "days(sold)", "hour(sold)"], [])
    assert texts(["z", "*", "log(x)", "x:z"]) == (["z", "x", "sold", "log(x)", "x:z"], [])
    assert texts(["*", "sold", "month(sold)"]) == (["x", "z", "sold", "month(sold)"], [])


def test_a_column_that_is_called_so_comes_first():
    assert texts(["*", "log(x)"], ("x", "*", "log(x)"), ("x", "*", "log(x)")) == (["*", "log(x)"], [])


def test_the_same_feature_twice_is_refused():
    assert texts(["x:z", "z:x"])[1] == ["'z:x' is the same feature as 'x:z'; remove one"]


def test_all_faults_are_found_at_once():
    _, faults = expand(["log10(x)", "x", "q", "x^12"], ["x", "y"], ["x"])
    assert [(position, error.column) for position, error in faults] == [(0, None), (2, "q"), (3, None)]


def test_sources_are_in_order_of_first_use():
    assert sources(expand(["z:x", "*", "month(sold)"], ["x", "sold", "z", "w"], ["x", "z", "w"])[0]) == (
        "z",
        "x",
        "w",
        "sold",
    )
