"""Pages in a real browser without a screen: chromium, where it is installed."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")

#: Written into the page: keeps errors, and says at the end what the page has become.
_WATCH = """<script>
window.faults = [];
window.addEventListener("error", function (event) {
  window.faults.push(event.message || "cannot load " + event.target.outerHTML.slice(0, 80));
}, true);
document.addEventListener("securitypolicyviolation", function (event) {
  window.faults.push("refused: " + event.violatedDirective);
});
</script>"""
_TELL = """<script>
window.addEventListener("load", function () {
  var answer = {};
  try { answer.asked = (function () { %s })(); } catch (error) { window.faults.push("" + error); }
  answer.pictures = Array.from(document.images).map(function (image) {
    return [image.alt, image.complete ? image.naturalWidth : 0];
  });
  answer.requests = performance.getEntriesByType("resource").map(function (one) {
    return one.name.slice(0, 60);
  });
  answer.too_wide = document.scrollingElement.scrollWidth - window.innerWidth;
  answer.faults = window.faults;
  var told = document.createElement("pre");
  told.id = "told";
  told.textContent = JSON.stringify(answer);
  document.body.appendChild(told);
});
</script>"""


def browser() -> str:
    """Return the browser's program, or skip the test."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("needs a browser: apt-get install chromium")
    return found


def browse(page: str, folder: Path, *, width: int = 1100, ask: str = "") -> dict[str, Any]:
    """Open a page, run a question's script in it, and return what was seen.

    Parameters
    ----------
    page : str
        HTML.
    folder : Path
        For the files of the browser.
    width : int
        Of the window; 500 is the least.
    ask : str
        Body of a function of JavaScript.

    Returns
    -------
    dict
        `faults` of scripts and pictures, `pictures` with their widths, `requests`, `too_wide`
        by which the page is wider than the window, and what was `asked`.
    """
    program = browser()
    watched = page.replace("<head>", "<head>" + _WATCH, 1)
    file = folder / "watched.html"
    file.write_text(watched.replace("</body>", _TELL % ask + "</body>", 1), encoding="utf-8")
    done = subprocess.run(
        [
            program, "--headless=new", "--no-sandbox", "--disable-gpu", "--dump-dom",
            "--virtual-time-budget=10000", f"--window-size={width},900",
            f"--user-data-dir={folder / 'profile'}", file.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=180,
    )  # fmt: skip
    told = re.search(r'<pre id="told">(.*?)</pre>', done.stdout, flags=re.DOTALL)
    assert told is not None, done.stderr[-2000:]
    answer: dict[str, Any] = json.loads(html.unescape(told[1]))
    return answer
