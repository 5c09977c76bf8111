"""Object stores on this machine: what S3 and Google Cloud Storage answer to who reads, and what was asked for."""

import contextlib
import functools
import http.server
import json
import re
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from hashlib import md5
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.sax.saxutils import escape

SINCE = "2026-11-30T00:00:00.000Z"


@functools.lru_cache(maxsize=8)
def tag_of(body: bytes) -> str:
    """The entity tag of an object; computed once, since each range is answered with it."""
    return md5(body).hexdigest()


@dataclass
class ObjectStore:
    """Objects by bucket and key, such as `bucket/a.csv`.

    Attributes:
        objects: path -> content.
        ranges: (path, first byte, one past the last) of every answer with bytes of an object.
        lines: method and path of every request.
        refuse: path -> the status that is answered in its place.
        before_answer: called with the path before the bytes of an object are sent.
        keys: the access keys that may read; None: whoever asks.
    """

    objects: dict[str, bytes] = field(default_factory=dict)
    ranges: list[tuple[str, int, int]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    refuse: dict[str, int] = field(default_factory=dict)
    before_answer: object = None
    keys: set[str] | None = None
    host: str = ""

    def address(self, path: str, scheme: str = "s3") -> str:
        """The address of an object for anyone."""
        return f"{scheme}://{path}?endpoint_override=http://{self.host}&anonymous=true"

    def bytes_of(self, path: str) -> int:
        """How many bytes of an object were sent."""
        return sum(stop - start for name, start, stop in self.ranges if name == path)

    def buckets(self) -> set[str]:
        return {path.partition("/")[0] for path in self.objects}


@contextlib.contextmanager
def running_store():
    """A store that answers at its `host`."""
    store = ObjectStore()
    handler = type("Handler", (_Handler,), {"store": store})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        running.daemon_threads = True
        store.host = f"127.0.0.1:{running.server_address[1]}"
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield store
        running.shutdown()
        thread.join()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    store: ObjectStore

    def do_HEAD(self):
        self.answer()

    def do_GET(self):
        self.answer()

    def answer(self):
        url = urlsplit(self.path)
        path, query = unquote(url.path).lstrip("/"), {key: each[0] for key, each in parse_qs(url.query).items()}
        self.store.lines.append(f"{self.command} {self.path}")
        key = re.search(r"Credential=([^/]+)/", self.headers.get("Authorization") or "")
        if self.store.keys is not None and (key is None or key[1] not in self.store.keys):
            return self.send(403)
        if path in self.store.refuse:
            return self.send(self.store.refuse[path])
        if path == "ranges":
            return self.json(self.store.ranges)
        if path.startswith("storage/v1/b/"):
            return self.google(path.removeprefix("storage/v1/b/"), query)
        if "list-type" in query:
            return self.listing(path, query)
        if path in self.store.objects:
            return self.content(path)
        if path in self.store.buckets():
            return self.send(200)
        return self.send(404)

    def content(self, path):
        if self.store.before_answer is not None:
            self.store.before_answer(self.command, path)
        body = self.store.objects[path]
        headers = {"ETag": f'"{tag_of(body)}"', "Last-Modified": "Mon, 30 Nov 2026 00:00:00 GMT"}
        if self.command == "HEAD":
            return self.send(200, length=len(body), headers=headers)
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "bytes=0-")
        start, stop = int(asked[1]), min(int(asked[2] or len(body)) + 1, len(body))
        if start >= len(body):
            return self.send(416)
        self.store.ranges.append((path, start, stop))
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(body)}"
        return self.send(206 if "Range" in self.headers else 200, body[start:stop], headers=headers)

    def listing(self, bucket, query):
        if bucket not in self.store.buckets():
            return self.send(404, b"<Error><Code>NoSuchBucket</Code></Error>")
        files, folders = self.below(bucket, query)
        found = [
            f"<Contents><Key>{escape(key)}</Key><LastModified>{SINCE}</LastModified><Size>{size}</Size></Contents>"
            for key, size in files.items()
        ]
        found += [f"<CommonPrefixes><Prefix>{escape(each)}</Prefix></CommonPrefixes>" for each in folders]
        count = f"<KeyCount>{len(found)}</KeyCount><IsTruncated>false</IsTruncated>"
        text = f'<?xml version="1.0"?><ListBucketResult>{count}{"".join(found)}</ListBucketResult>'
        return self.send(200, text.encode(), headers={"Content-Type": "application/xml"})

    def below(self, bucket, query):
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter")
        files, folders = {}, set()
        for path, body in sorted(self.store.objects.items()):
            key = path.removeprefix(f"{bucket}/")
            if path == key or not key.startswith(prefix):
                continue
            inner, mark, _ = key[len(prefix) :].partition(delimiter) if delimiter else (key, "", "")
            if mark:
                folders.add(f"{prefix}{inner}{mark}")
            else:
                files[key] = len(body)
        return files, sorted(folders)

    def google(self, path, query):
        bucket, _, key = path.partition("/o/")
        listed = bucket.removesuffix("/o")
        if bucket != listed and listed in self.store.buckets():
            files, folders = self.below(listed, query)
            return self.json({"items": [self.described(listed, each) for each in files], "prefixes": folders})
        if not key and bucket in self.store.buckets():
            return self.json({"kind": "storage#bucket", "name": bucket})
        if f"{bucket}/{key}" not in self.store.objects:
            return self.json({"error": {"code": 404, "message": "Not Found"}}, 404)
        if query.get("alt") == "media":
            return self.content(f"{bucket}/{key}")
        return self.json(self.described(bucket, key))

    def described(self, bucket, key):
        body = self.store.objects[f"{bucket}/{key}"]
        etag = tag_of(body)
        return {"kind": "storage#object", "name": key, "bucket": bucket, "size": str(len(body)), "etag": etag,
                "generation": "1", "updated": SINCE, "timeCreated": SINCE, "id": quote(key)}  # fmt: skip

    def json(self, value, status=200):
        return self.send(status, json.dumps(value).encode(), headers={"Content-Type": "application/json"})

    def send(self, status, body=b"", *, length=None, headers=()):
        self.send_response(status)
        for name, value in dict(headers).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        if self.command == "GET":
            with contextlib.suppress(ConnectionError):
                self.wfile.write(body)

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def store_of_folder(folder):
    """The address `HOST:PORT` of a store in a process of its own, whose objects are the files of a folder.

    The client of Google Cloud Storage waits for it with the lock of Python's interpreter, which a server of the same
    process would need to answer.
    """
    command = [sys.executable, __file__, str(folder)]
    # Its client begins to read a whole object and hangs up, of which the server complains.
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def _serve(folder):
    with running_store() as store:
        store.objects |= {str(each.relative_to(folder)): each.read_bytes() for each in folder.rglob("*.*")}
        print(store.host, flush=True)
        while time.sleep(1) is None:
            pass


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
