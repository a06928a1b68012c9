"""Chromium without a window, driven by its DevTools protocol over a pair of pipes: the standard library is enough."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

__all__ = ["Browser", "Page", "find_chromium", "open_browser"]

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find_chromium() -> str | None:
    """The path of Chromium or Chrome; None where neither is installed."""
    return next((path for path in map(shutil.which, _NAMES) if path), None)


@dataclass
class Page:
    """A tab. `events`: all that it has reported so far, the oldest first."""

    browser: Browser
    session: str
    events: list[dict[str, Any]] = field(default_factory=list)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The result of a method of the protocol."""
        return self.browser.call(method, session=self.session, **parameters)

    def load(self, url: str) -> None:
        """Navigate, and wait for the load event and for the frames that follow it."""
        self.events.clear()
        self.call("Page.navigate", url=url)
        while not any(event["method"] == "Page.loadEventFired" for event in self.events):
            self.browser.receive()
        self.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression, a promise awaited; AssertionError where it throws."""
        answer = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def resize(self, width: int, height: int = 800, *, dark: bool = False) -> None:
        """A screen of so many CSS pixels, light or dark. Loaded pages take it at once."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def screenshot(self, *, height: int | None = None) -> bytes:
        """A PNG of the page from its top, `height` pixels of it or all."""
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": height or size["height"], "scale": 1}
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
        return base64.b64decode(shot["data"])

    def requests(self) -> list[str]:
        """URLs of all that the page asked for, itself included."""
        return [e["params"]["request"]["url"] for e in self.events if e["method"] == "Network.requestWillBeSent"]

    def complaints(self) -> list[str]:
        """What reached the console: messages, exceptions, violations."""
        found = []
        for event in self.events:
            if event["method"] == "Runtime.consoleAPICalled":
                found.append(json.dumps(event["params"]["args"]))
            elif event["method"] == "Runtime.exceptionThrown":
                found.append(json.dumps(event["params"]["exceptionDetails"]))
            elif event["method"] == "Log.entryAdded":
                found.append(event["params"]["entry"]["text"])
        return found


@dataclass
class Browser:
    """A running browser; messages are JSON, each ended by a zero byte."""

    requests: IO[bytes]
    answers: IO[bytes]
    last: int = 0
    pages: dict[str, Page] = field(default_factory=dict)
    buffered: bytes = b""

    def open_page(self) -> Page:
        """A new tab that reports network, console and log."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = self.pages[session] = Page(self, session)
        for domain in ("Page", "Network", "Runtime", "Log"):
            page.call(f"{domain}.enable")
        return page

    def call(self, method: str, *, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """Send a message and wait for its answer."""
        self.last += 1
        message: dict[str, Any] = {"id": self.last, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        self.requests.write(json.dumps(message).encode() + b"\0")
        self.requests.flush()
        while True:
            answer = self.receive()
            if answer.get("id") == message["id"]:
                assert "error" not in answer, (method, answer["error"])
                return dict(answer["result"])

    def receive(self) -> Mapping[str, Any]:
        """The next message; events go to their page."""
        while b"\0" not in self.buffered:
            part = os.read(self.answers.fileno(), 1 << 16)
            assert part, "Chromium ended"
            self.buffered += part
        raw, self.buffered = self.buffered.split(b"\0", 1)
        message: dict[str, Any] = json.loads(raw)
        if "method" in message and message.get("sessionId") in self.pages:
            self.pages[message["sessionId"]].events.append(message)
        return message


@contextmanager
def open_browser(executable: str, profile: Path) -> Iterator[Browser]:
    """Start Chromium with an empty profile; it ends with the block."""
    to_browser, requests = os.pipe()
    answers, from_browser = os.pipe()
    command = [
        # Chromium reads messages from descriptor 3 and writes them to 4.
        *("sh", "-c", f'exec "$@" 3</dev/fd/{to_browser} 4>/dev/fd/{from_browser}', "sh"),
        executable,
        *("--headless=new", "--remote-debugging-pipe", "--disable-gpu", "--hide-scrollbars"),
        *("--no-first-run", "--disable-background-networking", "--disable-dev-shm-usage"),
        f"--user-data-dir={profile}",
    ]
    if os.geteuid() == 0:
        command.append("--no-sandbox")  # Chromium refuses to run as root with it, as CI does
    with (profile.parent / f"{profile.name}.log").open("wb") as log:
        process = subprocess.Popen(
            command, pass_fds=(to_browser, from_browser), stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    os.close(to_browser)
    os.close(from_browser)
    with os.fdopen(requests, "wb") as writer, os.fdopen(answers, "rb") as reader:
        browser = Browser(writer, reader)
        try:
            yield browser
            browser.call("Browser.close")
        finally:
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
