"""A headless Chromium, driven through a pipe: a page is opened, asked, photographed and printed.

The protocol is Chromium's own (DevTools), so that nothing but the browser is needed.
"""

import base64
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

#: Where Debian, Fedora and others put the browser.
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
#: As root there is no sandbox; nothing is fetched, updated or synchronised.
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)
#: Seconds for one answer; a machine under load takes long to start a browser.
_PATIENCE = 120.0

BROWSER = next(filter(None, map(shutil.which, _NAMES)), None)


def axe_source() -> str | None:
    """The accessibility checker axe-core; None where no package that carries it is installed."""
    found = find_spec("axe_playwright_python")
    if found is None or not found.submodule_search_locations:
        return None
    return (Path(found.submodule_search_locations[0]) / "axe.min.js").read_text(encoding="utf-8")


class Browser:
    """One page of one browser.

    Attributes:
        complaints: what the console said since the page was opened: errors, warnings and exceptions.
    """

    def __init__(self, process: subprocess.Popen[bytes], write: int, read: int) -> None:
        self._process, self._write, self._read = process, write, read
        self._buffer, self._last, self._session = b"", 0, None
        self.complaints: list[str] = []
        target = self._call("Target.createTarget", {"url": "about:blank"})["targetId"]
        self._session = self._call("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self._call(f"{domain}.enable")

    def open(self, path: Path, *, script: bool = True) -> None:
        """Load a file, with or without scripts, and wait until it is there."""
        self._call("Emulation.setScriptExecutionDisabled", {"value": not script})
        self.complaints = []
        self._call("Page.navigate", {"url": path.resolve().as_uri()})
        self._until(lambda event: event.get("method") == "Page.loadEventFired")

    def view(self, width: int, *, dark: bool = False, print: bool = False) -> None:
        """Set the width of the window in px, its colour scheme, and whether styles for paper hold."""
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self._call("Emulation.setDeviceMetricsOverride", size)
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self._call("Emulation.setEmulatedMedia", {"media": "print" if print else "", "features": scheme})

    def ask(self, expression: str) -> Any:
        """The value of a JavaScript expression; a promise is awaited."""
        given = {"expression": expression, "returnByValue": True, "awaitPromise": True}
        answer = self._call("Runtime.evaluate", given)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def press(self, key: str, code: int) -> None:
        """Press and release a key, such as ("Enter", 13) or (" ", 32)."""
        given = {"key": key, "windowsVirtualKeyCode": code, "text": "\r" if key == "Enter" else key}
        self._call("Input.dispatchKeyEvent", {"type": "keyDown", **given})
        self._call("Input.dispatchKeyEvent", {"type": "keyUp", **given})

    def photograph(self) -> bytes:
        """The whole page as PNG."""
        return base64.b64decode(self._call("Page.captureScreenshot", {"captureBeyondViewport": True})["data"])

    def print_a4(self) -> bytes:
        """The page as PDF, on the paper that its own style asks for."""
        return base64.b64decode(self._call("Page.printToPDF", {"preferCSSPageSize": True})["data"])

    def _call(self, method: str, given: Mapping[str, Any] | None = None) -> dict[str, Any]:
        self._last += 1
        message = {"id": self._last, "method": method, "params": given or {}}
        if self._session:
            message["sessionId"] = self._session
        rest = json.dumps(message).encode() + b"\0"
        while rest:
            rest = rest[os.write(self._write, rest) :]
        answer = self._until(lambda event: event.get("id") == self._last)
        assert "error" not in answer, (method, answer["error"])
        return answer["result"]

    def _until(self, wanted: Any) -> dict[str, Any]:
        end = time.monotonic() + _PATIENCE
        while True:
            while b"\0" not in self._buffer:
                ready, _, _ = select.select([self._read], [], [], max(0.0, end - time.monotonic()))
                assert ready, "the browser does not answer"
                received = os.read(self._read, 2**20)
                assert received, "the browser has ended"
                self._buffer += received
            line, _, self._buffer = self._buffer.partition(b"\0")
            event = json.loads(line)
            self._note(event)
            if wanted(event):
                return event

    def _note(self, event: Mapping[str, Any]) -> None:
        method, given = event.get("method"), event.get("params", {})
        if method == "Runtime.exceptionThrown":
            self.complaints.append(str(given["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled" and given["type"] in ("error", "warning", "assert"):
            self.complaints.append(str(given["args"]))
        elif method == "Log.entryAdded" and given["entry"]["level"] in ("error", "warning"):
            self.complaints.append(given["entry"]["text"])


@contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    """A browser with a new profile in a folder; it ends with the context."""
    assert BROWSER is not None
    to_browser, from_browser = os.pipe(), os.pipe()
    # The protocol wants descriptors 3 and 4, which a shell can give whatever their numbers are here.
    start = f'exec "$0" "$@" 3<&{to_browser[0]} 4>&{from_browser[1]}'
    command = ["bash", "-c", start, BROWSER, *_FLAGS, f"--user-data-dir={folder / 'profile'}", "about:blank"]
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen(
            command, pass_fds=(to_browser[0], from_browser[1]), stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    os.close(to_browser[0])
    os.close(from_browser[1])
    try:
        yield Browser(process, to_browser[1], from_browser[0])
    finally:
        os.close(to_browser[1])  # the browser ends with its pipe
        os.close(from_browser[0])
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
