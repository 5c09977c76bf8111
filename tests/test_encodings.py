"""The encoding of a text that is not UTF-8, guessed from its bytes."""

import pytest

from linreg_cli.data.tables.encodings import candidates

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
