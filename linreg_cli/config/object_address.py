"""Addresses of objects in stores: `s3://bucket/key?region=eu-west-1`, `gs://bucket/key`, `memory://key`."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote

from linreg_cli.errors import did_you_mean

#: Scheme -> the options that a query may hold.
_OPTIONS = {
    "s3": ("region", "endpoint_override", "scheme", "anonymous"),
    "gs": ("endpoint_override", "scheme", "anonymous"),
    "memory": (),
}
_VALUES = {"scheme": ("http", "https"), "anonymous": ("true", "false")}


class ObjectAddressError(ValueError):
    """An address that is none, with what is wrong."""


@dataclass(frozen=True, repr=False)
class ObjectAddress:
    """The parts of an address of an object, or of several.

    Attributes:
        scheme: `s3`, `gs` or `memory`.
        access_key, secret_key: from before the `@`; None: those of the environment.
        path: bucket and key, such as `bucket/folder/a.csv`; of `memory` the key alone. No escapes: a `%` is a `%`.
        options: from the query; the endpoint without a scheme, which is an option of its own.
        head, query: what stands before and behind the path, as it was written.
    """

    scheme: str
    access_key: str | None
    secret_key: str | None
    path: str
    options: Mapping[str, str]
    head: str
    query: str

    @classmethod
    def parsed(cls, address: str) -> "ObjectAddress":
        """The parts of an address.

        >>> found = ObjectAddress.parsed("s3://bucket/a b.csv?endpoint_override=http://localhost:9000")
        >>> found.path, dict(found.options)
        ('bucket/a b.csv', {'endpoint_override': 'localhost:9000', 'scheme': 'http'})

        Raises:
            ObjectAddressError: for one without a bucket or a key, and options that are unknown.
        """
        name, mark, query = address.partition("?")
        scheme, _, rest = name.partition("://")
        head, scheme = name[: len(scheme) + 3], {"gcs": "gs"}.get(scheme.lower(), scheme.lower())
        options = _options(scheme, query)
        if scheme == "memory":
            if not rest.strip("/"):
                raise ObjectAddressError("it names no object; write memory://NAME")
            return cls(scheme, None, None, rest.strip("/"), options, head, mark + query)
        user, path = _user_and_path(scheme, rest)
        head += "" if user is None else f"{user}@"
        if user == "anonymous" and scheme == "gs":  # as pyarrow writes it
            user, options = None, {**options, "anonymous": "true"}
        access_key, secret_key = _keys(scheme, user)
        bucket, _, key = path.partition("/")
        if not bucket or not key.strip("/"):
            what = "names no bucket" if not bucket else "names a bucket and nothing in it"
            raise ObjectAddressError(f"it {what}; write {scheme}://BUCKET/KEY")
        if access_key is not None and options.get("anonymous") == "true":
            raise ObjectAddressError("it has an access key, and anonymous=true; leave one of them out")
        return cls(scheme, access_key, secret_key, path.rstrip("/"), options, head, mark + query)

    @property
    def name(self) -> str:
        """The address without user and options, for messages.

        >>> ObjectAddress.parsed("s3://KEY:SECRET@bucket/a.csv?region=eu-west-1").name
        's3://bucket/a.csv'
        """
        return f"{self.scheme}://{self.path}"

    def sibling(self, path: str) -> str:
        """The address of another object of the same store.

        >>> ObjectAddress.parsed("s3://KEY:SECRET@bucket/a.csv?region=eu-west-1").sibling("bucket/b.csv")
        's3://KEY:SECRET@bucket/b.csv?region=eu-west-1'

        Args:
            path: as the attribute.
        """
        return f"{self.head}{path}{self.query}"


def _user_and_path(scheme: str, rest: str) -> tuple[str | None, str]:
    """What stands before the @, and bucket and key. An @ in the key is part of it."""
    authority, slash, key = rest.partition("/")
    user, at, bucket = authority.rpartition("@")
    if not at and ":" in authority:
        raise ObjectAddressError(
            f"it has a colon in the name of its bucket; write {scheme}://KEY:SECRET@BUCKET/..., with %2F for each / "
            "of the secret"
        )
    return (user if at else None), bucket + slash + key


def _keys(scheme: str, user: str | None) -> tuple[str | None, str | None]:
    if user is None:
        return None, None
    access_key, colon, secret_key = user.partition(":")
    if scheme == "gs":
        raise ObjectAddressError(
            "Google Cloud Storage takes no user name; set GOOGLE_APPLICATION_CREDENTIALS, or write anonymous@"
        )
    if not (colon and access_key and secret_key):
        raise ObjectAddressError("an access key and a secret key are written KEY:SECRET@")
    return unquote(access_key), unquote(secret_key)


def _options(scheme: str, query: str) -> dict[str, str]:
    known, options = _OPTIONS[scheme], dict[str, str]()
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    except ValueError:
        raise ObjectAddressError(f"after its ? stands no option=value; {_known(scheme)}") from None
    for key, value in pairs:
        if key not in known:
            near = did_you_mean(key, known) if known else ""
            raise ObjectAddressError(f"unknown option {key!r}{near if 'did you' in near else ''}; {_known(scheme)}")
        if key in options:
            raise ObjectAddressError(f"the option {key} is given twice")
        if value not in _VALUES.get(key, (value,)) or not value:
            raise ObjectAddressError(f"the option {key} is {' or '.join(_VALUES.get(key, ('never empty',)))}")
        options[key] = value
    before, colon, host = options.get("endpoint_override", "").partition("://")
    if colon:
        if before not in _VALUES["scheme"] or options.get("scheme", before) != before or not host:
            raise ObjectAddressError("the option endpoint_override is HOST:PORT, http://HOST:PORT or https://HOST:PORT")
        options |= {"endpoint_override": host.rstrip("/"), "scheme": before}
    return options


def _known(scheme: str) -> str:
    if not _OPTIONS[scheme]:
        return f"{scheme}:// has no options, and a ? begins them"
    return f"those of {scheme}:// are {', '.join(_OPTIONS[scheme])}, and a ? begins them"
