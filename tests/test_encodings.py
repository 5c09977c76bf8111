"""The encoding of a text that is not UTF-8, guessed from its bytes."""

import pytest

from linreg_cli.data.tables.encodings import candidates, likely

TEXTS = {
    "gb18030": [
        "面积,总价\n12,3\n",
        "价格,x\n1,2\n",
        "区域,值\n闵行,1\n黄浦,2\n",
        "数量,单价（元）,“备注”\n1,2,缺货\n",
        "价\n",
    ],
    "cp950": ["面積,總價\n1,2\n", "價格,x\n", "臺北市,1\n桃園,2\n"],
    "cp932": ["面積,価格\n", "つき,y\n1,2\n", "カテゴリ,売上\n", "東京都,1\n大阪府,2\nさくら,3\n"],
    "cp949": ["지역,가격,면적,거리\n1,2\n서울,3\n부산,4\n", "아파트,매매가격,전용면적\n"],
    "cp1252": [
        "größe,y\n",
        "x,°C\n",
        "it’s,y\n",
        "12\u00a0500;0\n",
        "Übergröße,Länge\nMünchen,1\n",
        "ção,não,põe\n",
        "é,è,ê,ça,cœur\n",
        "Ñandú,año\n",
        "5 €,m²\n",
        "Þórður,æð\n",
        "“quoted”\n",
        "ÅÄÖ,x\n",
        "ÄRZTE,ÖL\n",
    ],
}


#: Short headers of ten more languages, which were read as cp1252 once.
OTHERS = {
    "cp1253": ["τιμή,εμβαδόν,περιοχή\n1,2,Αθήνα\n", "τιμή\n", "Πόλη,τιμή (€)\n"],
    "cp1250": [
        "cena,powierzchnia,dzielnica\n1,2,Śródmieście\n",
        "wartość,wiek\n",
        "výška,šířka\n",
        "příjem\n",
        "žluťoučký kůň\n",
        "népesség,jövedelem,hőmérséklet\n",
        "preţ,suprafaţă,oraş\n",
        "cijena,površina,županija\n",
    ],
    "cp1254": ["fiyat,alan,şehir\n1,2,İstanbul\n", "yaş,gelir\n", "ağırlık,uzunluk\n"],
    "cp1255": ["מחיר,שטח,עיר\n1,2,חיפה\n"],
    "cp1256": ["السعر,المساحة,المدينة\n", "العمر,الدخل\n", "سعر\n"],
    "cp874": ["ราคา,พื้นที่,จังหวัด\n"],
    "koi8-r": ["цена,площадь,район\n", "Возраст,Доход\n"],
    "cp1257": ["cena,platība,pilsēta\n1,2,Rīga\n"],
}


@pytest.mark.parametrize(("encoding", "text"), [(encoding, text) for encoding, each in OTHERS.items() for text in each])
def test_a_short_header_of_another_language_reads_as_it_was_written(encoding, text):
    content = text.encode(encoding)
    assert content.decode(next(candidates(content))) == text


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1250", "cena,plocha,město\n"),  # Italian has ì
        ("cp1250", "ŁĄCZNIE,x\n"),
        ("cp1253", "ΤΙΜΗ,ΕΜΒΑΔΟΝ\n"),
        ("cp874", "อายุ\n"),
        ("cp1257", "kaina,miestas\n1,Šiauliai\n"),
    ],
)
def test_a_header_that_may_be_of_two_languages_is_read_as_it_was_written_by_one_of_the_guesses(encoding, text):
    content = text.encode(encoding)
    assert text in [content.decode(each, "replace") for each in likely(content)]


@pytest.mark.parametrize(("encoding", "text"), [(encoding, text) for encoding, each in TEXTS.items() for text in each])
def test_a_text_is_taken_for_what_it_is(encoding, text):
    assert next(candidates(text.encode(encoding))) == encoding


def test_a_text_that_is_cut_within_a_character_is_taken_for_what_it_is():
    content = "面积,卧室数,区域\n".encode("gb18030") * 100
    assert {next(candidates(content[:end])) for end in range(2, 40)} == {"gb18030"}


def test_there_is_an_encoding_for_all_bytes():
    assert [*candidates(bytes(range(256)))][-1] == "latin-1"


def test_a_table_of_a_chinese_spreadsheet_trains_without_a_config(linreg, tmp_path):
    """Excel writes GBK on a Chinese Windows; gb18030 is the standard that has all of it."""
    rows = "".join(f"{40 + row},{'徐汇静安闵行'[2 * (row % 3) :][:2]},{3 * row + row % 7}\n" for row in range(60))
    (tmp_path / "二手房.csv").write_bytes(f"面积,区域,总价（万元）\n{rows}".encode("gbk"))
    result = linreg("train", "二手房.csv", "--target", "总价（万元）", "--set", "plots=false")
    assert result.code == 0
    assert "note: data.encoding: gb18030 (the file is not UTF-8 text)" in result.err
    assert "区域=静安" in result.out


@pytest.mark.parametrize(
    "text",
    ["ЦЕНА,ПЛОЩАДЬ\n", "цена\n", "Цена,Площадь\n1,2\n", "№,РАЙОН,ЦЕНА (€)\n1,ЦЕНТР,3\n", "ціна,район,«місто»\n"],
)
def test_cyrillic_words_of_one_case_are_cp1251_and_nothing_else(text):
    assert likely(text.encode("cp1251")) == ["cp1251"]


@pytest.mark.parametrize(
    ("encoding", "text", "expected"),
    [
        # D6 C5 CD C0 is two characters that are among the 3,755 common ones of GB 2312, and a word of four letters.
        ("cp1251", "ЦЕНА\n", ["gb18030", "cp1251"]),
        ("cp1251", "ЦЕНА,ГОРОДА\n", ["cp1251", "gb18030"]),
        ("cp949", "가격,면적\n", ["gb18030", "cp949"]),  # every syllable of KS X 1001 is a character of GB 2312
        ("cp1252", "ÅÄÖ,x\n", ["cp1252", "cp1251", "koi8-r"]),
        ("cp1255", "גובה\n", ["cp1251", "cp1255", "cp1253"]),
    ],
)
def test_encodings_that_are_about_as_likely_are_all_named(encoding, text, expected):
    assert likely(text.encode(encoding)) == expected


def test_a_guess_that_may_be_wrong_is_said_and_the_setting_that_is_shown_decides(linreg, tmp_path):
    rows = "".join(f"{row},{3 * row + row % 7}\n" for row in range(60))
    (tmp_path / "дом.csv").write_bytes(f"x,ЦЕНА\n{rows}".encode("cp1251"))
    guessed = linreg("train", "дом.csv", "--target", "x", "--dry-run")
    assert guessed.code == 0
    assert (
        "warning: data.encoding: gb18030 is a guess by which words read '峙屠'; about as likely: "
        "data.encoding: cp1251 ('ЦЕНА')\n" in guessed.err
    )
    unknown = linreg("train", "дом.csv", "--target", "ЦЕНА", "--dry-run")
    assert unknown.code == 3
    assert "the table has x, 峙屠; if the encoding is cp1251, set data.encoding: cp1251" in unknown.err
    known = linreg("train", "дом.csv", "--target", "ЦЕНА", "--set", "data.encoding=cp1251", "--dry-run")
    assert known.code == 0
    (tmp_path / "дом.yaml").write_text("data: {path: дом.csv, target: ЦЕНА}\n", "utf-8")
    stopped = linreg("train", "-c", "дом.yaml")
    assert stopped.code == 3
    assert "(in gb18030 the line is 'x,峙屠'; in cp1251, about as likely, 'x,ЦЕНА')" in stopped.err
    assert "set data.encoding: gb18030, or data.encoding: cp1251" in stopped.err


def test_a_guess_says_what_names_read_as_and_the_key_to_set(linreg, tmp_path):
    rows = "".join(f"{row},{'ΑΒΓ'[row % 3]},{3 * row + row % 7}\n" for row in range(60))
    (tmp_path / "t.csv").write_bytes(f"τιμή,περιοχή,εμβαδόν\n{rows}".encode("cp1253"))
    result = linreg("train", "t.csv", "--target", "τιμή", "--set", "plots=false", "--json")
    (warning,) = [each for each in result.json["warnings"] if each["kind"] == "encoding"]
    expected = (
        "data.encoding: cp1253 is a guess by which words read 'τιμή', 'περιοχή', 'εμβαδόν'; if that is wrong, set "
    )
    assert warning["message"] == f"{expected}data.encoding"
    certain = linreg("train", "t.csv", "--target", "τιμή", "--set", "data.encoding=cp1253", "--dry-run")
    assert (certain.code, "guess" in certain.err) == (0, False)


def test_a_mark_at_the_start_leaves_no_doubt(linreg, tmp_path):
    rows = "".join(f"{row},{3 * row + row % 7}\n" for row in range(30))
    (tmp_path / "t.csv").write_bytes(f"größe,y\n{rows}".encode("utf-16"))
    result = linreg("train", "t.csv", "--target", "y", "--dry-run")
    assert (result.code, "guess" in result.err) == (0, False)
