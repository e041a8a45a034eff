"""Draw docs/images: run the pages whose code saves a picture.

    python docs/build_images.py

The site draws its own; these copies are committed, so that pages show them on a code host.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS / "hooks"))

from examples import in_own_folder, run_page  # noqa: E402


def drawn() -> dict[str, Path]:
    """Return the page that draws each picture."""
    return {
        name: page
        for page in sorted(DOCS.rglob("*.md"))
        for name in re.findall(r'savefig\("([\w-]+\.png)"\)', page.read_text(encoding="utf-8"))
    }


if __name__ == "__main__":
    for page in dict.fromkeys(drawn().values()):
        with in_own_folder() as folder:
            for _ in run_page(page.read_text(encoding="utf-8"), page.name):
                pass
            for picture in folder.glob("*.png"):
                shutil.copy(picture, DOCS / "images" / picture.name)
                print(f"wrote {DOCS / 'images' / picture.name}")
