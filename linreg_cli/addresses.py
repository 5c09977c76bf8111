"""Addresses of files on the web and in object stores, and how they are shown: without the secrets that they may hold.

User name and password stand before the host, and the signature or the token of a presigned address in its query:
`https://user:password@host/houses.csv?X-Amz-Signature=...`. Which parameter of a query is secret cannot be known, so
none is shown. Errors, records, checkpoints and reports hold addresses only as `without_secrets` gives them.
"""

import re
from typing import Any

_HIDDEN = "***"
#: Up to the last @ before the path.
_USER = re.compile(r"(?<=://)[^/?#\n]*@")
#: A password with a slash, which only looks like a host with a path: what follows the colon is no port.
_SLASHED_PASSWORD = re.compile(r"(?<=://)[^\s/?#:@]*:(?!\d+(?:[/?#\s\"'<>]|$))\S*@")
#: A query or fragment. A quote or a mark of punctuation at its end belongs to the sentence around it.
_QUERY = re.compile(
    r"""(://[^\s?#"'<>`]*[?#])        # up to the mark
        [^\s<>]*?                     # what is hidden
        (?=["'`.,;:)\]}]*(?:[\s<>]|$))""",
    re.VERBOSE,
)


def is_address(path: str) -> bool:
    """Whether a path is an http(s) address.

    >>> is_address("https://example.org/a.csv"), is_address("http.csv")
    (True, False)
    """
    return path.lower().startswith(("http://", "https://"))


#: The schemes of object stores: Amazon S3 and what speaks its protocol, Google Cloud Storage, the memory of a program.
OBJECT_SCHEMES = ("s3", "gs", "gcs", "memory")


def is_object(path: str) -> bool:
    """Whether a path is the address of an object in a store, or of several: `s3://bucket/key`, `gs://`, `memory://`.

    >>> is_object("S3://bucket/a.csv"), is_object("https://example.org/a.csv"), is_object("s3.csv")
    (True, False, False)
    """
    scheme, colon, _ = path.partition("://")
    return bool(colon) and scheme.lower() in OBJECT_SCHEMES


def has_keys(path: str) -> bool:
    """Whether the address of an object holds an access key and its secret.

    >>> has_keys("s3://KEY:SECRET@bucket/a.csv"), has_keys("gs://anonymous@bucket/a.csv"), has_keys("s3://b/x@y:z")
    (True, False, False)
    """
    authority = path.partition("://")[2].partition("/")[0]
    return is_object(path) and ":" in authority.rpartition("@")[0]


def is_elsewhere(path: str) -> bool:
    """Whether a path is an address of any kind, and so no path of this machine.

    >>> is_elsewhere("s3://bucket/a.csv"), is_elsewhere("https://example.org/a.csv"), is_elsewhere("a.csv")
    (True, True, False)
    """
    return is_address(path) or is_object(path)


def object_name(path: str) -> str:
    """The address of an object without its options; another path unchanged.

    >>> object_name("s3://bucket/a.csv?region=eu-west-1"), object_name("a?.csv")
    ('s3://bucket/a.csv', 'a?.csv')
    """
    return path.partition("?")[0] if is_object(path) else path


def without_secrets(text: str) -> str:
    """A text with `***` in place of user names, passwords, queries and fragments of the addresses in it.

    >>> without_secrets("https://ann:pw@host:8080/a.csv?sig=x&part=1")
    'https://***@host:8080/a.csv?***'
    >>> without_secrets("no address? no secret"), without_secrets("see https://host/a@b.csv.")
    ('no address? no secret', 'see https://host/a@b.csv.')
    """
    if "://" not in text:
        return text
    for secret in (_SLASHED_PASSWORD, _USER):
        text = secret.sub(f"{_HIDDEN}@", text)
    return _QUERY.sub(rf"\1{_HIDDEN}", text)


def public_address(address: str) -> str:
    """An address without user name, password, query and fragment, which can still be used.

    >>> public_address("http://ann:pw@host:5000/?token=x"), public_address("sqlite:///mlflow.db")
    ('http://host:5000/', 'sqlite:///mlflow.db')
    >>> public_address("postgresql://ann:p/w@host/runs")
    'postgresql://host/runs'
    """
    for secret in (_SLASHED_PASSWORD, _USER):
        address = secret.sub("", address)
    return re.split(r"[?#]", address, maxsplit=1)[0]


def has_secrets(text: str) -> bool:
    """Whether `without_secrets` hides something.

    >>> has_secrets("https://host/a.csv"), has_secrets("path: https://host/a.csv?token=x")
    (False, True)
    """
    return without_secrets(text) != text


def values_without_secrets(values: Any) -> Any:
    """Mappings and lists with every text in them as `without_secrets` gives it.

    >>> values_without_secrets({"path": "https://a:b@host/c.csv", "rows": [1, None]})
    {'path': 'https://***@host/c.csv', 'rows': [1, None]}
    """
    if isinstance(values, str):
        return without_secrets(values)
    if isinstance(values, dict):
        return {key: values_without_secrets(value) for key, value in values.items()}
    return type(values)(map(values_without_secrets, values)) if isinstance(values, list | tuple) else values
