"""Which addresses of objects are read, and what is said of the others."""

from pathlib import Path

import pytest

from linreg_cli.addresses import is_object
from linreg_cli.config.formats import format_of, table_format, table_stem
from linreg_cli.config.object_address import ObjectAddress, ObjectAddressError
from linreg_cli.data.tables.location import locate
from linreg_cli.errors import DataError


@pytest.mark.parametrize(
    ("address", "scheme", "path", "options", "keys"),
    [
        ("s3://b/k.csv", "s3", "b/k.csv", {}, (None, None)),
        ("S3://b/a/k.csv?region=eu-west-1", "s3", "b/a/k.csv", {"region": "eu-west-1"}, (None, None)),
        ("s3://KEY:a%2Fb%2B@b/k@x.csv", "s3", "b/k@x.csv", {}, ("KEY", "a/b+")),
        ("s3://b/dt=1%3A00/k #1.csv", "s3", "b/dt=1%3A00/k #1.csv", {}, (None, None)),
        ("gcs://b/parts/", "gs", "b/parts", {}, (None, None)),
        ("gs://anonymous@b/k.csv", "gs", "b/k.csv", {"anonymous": "true"}, (None, None)),
        ("memory:///a/k.csv", "memory", "a/k.csv", {}, (None, None)),
        (
            "s3://b/k?endpoint_override=https%3A%2F%2Fh%3A9000%2F",
            "s3",
            "b/k",
            {"endpoint_override": "h:9000", "scheme": "https"},
            (None, None),
        ),
    ],
)
def test_the_parts_of_an_address(address, scheme, path, options, keys):
    found = ObjectAddress.parsed(address)
    assert (found.scheme, found.path, dict(found.options)) == (scheme, path, options)
    assert (found.access_key, found.secret_key) == keys
    assert ObjectAddress.parsed(found.sibling(found.path)).path == path
    assert "KEY" not in repr(found)


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("s3://", "names no bucket; write s3://BUCKET/KEY"),
        ("s3://bucket", "names a bucket and nothing in it"),
        ("gs://bucket/?anonymous=true", "names a bucket and nothing in it"),
        ("memory://", "it names no object; write memory://NAME"),
        ("memory://a.csv?b=1", "memory:// has no options, and a ? begins them"),
        ("s3://b/k?regoin=x", "unknown option 'regoin'; did you mean 'region'?; those of s3:// are region, endpoint"),
        ("s3://b/k?", None),
        ("s3://b/k?region", "after its ? stands no option=value"),
        ("s3://b/k?region=", "the option region is never empty"),
        ("s3://b/k?region=a&region=b", "the option region is given twice"),
        ("s3://b/k?anonymous=yes", "the option anonymous is true or false"),
        ("s3://b/k?endpoint_override=ftp://h", "HOST:PORT, http://HOST:PORT or https://HOST:PORT"),
        ("s3://b/k?endpoint_override=http://h&scheme=https", "HOST:PORT, http://HOST:PORT or https://HOST:PORT"),
        ("s3://KEY@b/k", "an access key and a secret key are written KEY:SECRET@"),
        ("s3://KEY:a/b@bucket/k", "with %2F for each / of the secret"),
        ("s3://KEY:SECRET@b/k?anonymous=true", "it has an access key, and anonymous=true"),
        ("gs://user@b/k", "Google Cloud Storage takes no user name; set GOOGLE_APPLICATION_CREDENTIALS"),
    ],
)
def test_what_is_no_address(address, message):
    if message is None:
        assert ObjectAddress.parsed(address).query == "?"
        return
    with pytest.raises(ObjectAddressError) as caught:
        ObjectAddress.parsed(address)
    assert message in str(caught.value)
    assert "SECRET" not in str(caught.value).replace("KEY:SECRET@", "")


def test_the_name_of_an_object_ends_before_its_options():
    address = "s3://bucket/houses.CSV.gz?region=eu-west-1&endpoint_override=h.parquet"
    assert (format_of(address), table_format(address), table_stem(address)) == (".csv", ".csv.gz", "houses")
    assert (is_object("https://s3.host/x"), is_object("s3:/b"), is_object("a/s3://b")) == (False, False, False)


def test_a_config_is_refused_before_anything_is_asked_for(linreg, config_file):
    result = linreg("validate", config_file("data: {path: 's3://bucket/t.csv?key=hunter2', target: y}\n"))
    assert result.code == 2
    assert "data.path: it is not an address of an object: unknown option 'key'" in result.err
    assert "hunter2" not in result.err
    result = linreg("validate", config_file("data: {path: 's3://bucket/t.csv', format: tsv, target: y}\n"))
    assert (result.code, "csv" in result.err) == (2, True)


def test_an_address_of_another_kind(linreg, config_file):
    result = linreg("inspect", "-c", config_file("data: {path: 'ftp://host/t*.csv', target: y}\n"))
    assert result.code == 3
    assert "linreg reads addresses that begin with s3://, gs://, memory://, http:// or https://" in result.err


def test_a_path_that_was_an_address(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="a Path keeps one of the two slashes, so give an address as text"):
        locate(str(Path("s3://bucket/t.csv")))
    (tmp_path / "s3:").mkdir()
    (tmp_path / "s3:" / "t.csv").write_text("x,y\n1,2\n")
    assert locate("s3:/t.csv").what == "file"  # what is really called so
