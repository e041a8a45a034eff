"""Draw the map of the package, docs/images/map.png, and write its table into the page.

    python docs/build_map.py

A test fails where the page or the picture is older than the code.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from read_code import Part, arrows, drawn_arrows, folders

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DOCS = Path(__file__).parent
PAGE = DOCS / "explanation" / "map.md"
PICTURE = DOCS / "images" / "map.png"
MARKERS = "<!-- map -->\n", "<!-- /map -->\n"

#: The files of one EM step, numbered as in the page.
STEP = {
    "search.climbing.ascent": 1,
    "search.run": 2,
    "engines.memory.engine": 3,
    "model.moments": 4,
    "model.m_step": 5,
    "model.constraints": 6,
}


def table() -> str:
    """Return the part of the page that is made from the code."""
    lines = ["| folder | says of itself | files, in import order | imports from |"]
    lines.append("| --- | --- | --- | --- |")
    graph, order = arrows(inside_functions=True), [folder.module for folder in folders()]

    def row(part: Part, imported: str) -> str:
        names = " ".join(f"`{file.name}`" for file in part.files)
        told = part.docstring.replace("``", "`")
        return f"| `{part.path}` | {told} | {names} | {imported} |"

    for folder in reversed(folders()):
        seen = [f"`{name}`" for name in reversed(order) if name in graph[folder.module]]
        lines.append(row(folder, " ".join(seen) or "–"))
        lines += [row(part, "") for part in reversed(folder.parts) if part.parts]
    return "\n".join(lines) + "\n"


def fill(page: str, text: str) -> str:
    """Return a page with a text between its markers."""
    before, _, rest = page.partition(MARKERS[0])
    _, _, after = rest.partition(MARKERS[1])
    return before + MARKERS[0] + text + MARKERS[1] + after


def shown() -> str:
    """Return in words what the picture shows, which its file says of itself."""
    said = []
    for folder in folders():
        targets = " ".join(sorted(drawn_arrows()[folder.module]))
        files = " ".join(file.module for file in folder.leaves)
        said.append(f"{folder.module} > {targets}: {folder.docstring} {files}")
    return "\n".join(said)


# The picture.  Lengths are in points, and y grows upward.

MAIN, SIDE, GUTTER, LANE, GAP = 640.0, 150.0, 44.0, 34.0, 34.0
LINE, LETTERS, PAD, TITLE = 25.0, 12.0, 10.0, 27.0
INK, PAPER = "#22303c", "#ffffff"

#: Small ones, which stand at the side.
BESIDE = {"display", "io", "plots", "report", "tables"}

COLOURS = {
    "cli": "#7a5195", "estimators": "#b8487f", "plots": "#b8487f", "io": "#7a5195",
    "search": "#d9622b", "engines": "#2a8c6e", "model": "#2f6db5", "kernels": "#5d6a75",
    "tables": "#5d6a75",
}  # fmt: skip


@dataclass(frozen=True)
class Chip:
    """A file in the picture; x and y from the lower left corner of its box."""

    part: Part
    x: float
    y: float
    width: float


@dataclass(frozen=True)
class Frame:
    """A folder inside a folder, around its chips."""

    part: Part
    x: float
    y: float
    width: float


@dataclass
class Box:
    """A folder in the picture, with what it holds."""

    folder: Part
    left: float
    right: float
    bottom: float
    chips: list[Chip]
    frames: list[Frame]
    told: list[str]
    height: float

    @property
    def top(self) -> float:
        """Upper edge."""
        return self.bottom + self.height

    @property
    def middle(self) -> float:
        """Height of its middle."""
        return self.bottom + self.height / 2

    @property
    def colour(self) -> str:
        """Colour of the folder."""
        return COLOURS.get(self.folder.module, INK)


def text_width(text: str, size: float) -> float:
    """Return the width of a text."""
    from matplotlib.textpath import TextPath

    return float(TextPath((0, 0), text, size=size).get_extents().width)


def wrapped(text: str, size: float, room: float) -> list[str]:
    """Break a text into lines of at most some width."""
    lines: list[str] = []
    for word in text.split():
        if lines and text_width(f"{lines[-1]} {word}", size) <= room:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def filled(folder: Part, left: float, right: float, bottom: float) -> Box:
    """Return a box in which a folder's files stand in lines, the first at the bottom."""
    told = folder.docstring.rstrip(".").replace("`", "")
    room = right - left - 2 * PAD
    beside_title = room - text_width(folder.path, 12) * 1.17 - 10
    lines = [told] if text_width(told, 9) <= beside_title else ["", *wrapped(told, 9, room)]
    height = TITLE + LETTERS * (len(lines) - 1)
    if not folder.parts:
        return Box(folder, left, right, bottom, [], [], lines, height + PAD)
    chips: list[Chip] = []
    frames: list[Frame] = []
    x, y = PAD, PAD
    for part in folder.parts:
        files = part.parts or (part,)
        widths = [text_width(file.name, 8.5) + 14 for file in files]
        label = text_width(part.name, 7.5) + 16 if part.parts else 0.0
        whole = label + sum(widths) + 5 * len(widths) + (3 if part.parts else 0)
        if x + whole > right - left - PAD + 5 and x > PAD:
            x, y = PAD, y + LINE + 5
        if part.parts:
            frames.append(Frame(part, x, y, whole - 2))
        x += label
        for file, width in zip(files, widths, strict=True):
            chips.append(Chip(file, x, y, width))
            x += width + 5
        x += 7 if part.parts else 0
    return Box(folder, left, right, bottom, chips, frames, lines, y + LINE + PAD / 2 + height)


def boxes() -> dict[str, Box]:
    """Return the boxes: every folder above all that it imports."""
    graph = arrows()
    rows: dict[int, list[Part]] = {}
    rank: dict[str, int] = {}
    for folder in folders():
        number = 1 + max((rank[other] for other in graph[folder.module]), default=-1)
        rank[folder.module] = number
        rows.setdefault(number, []).append(folder)
    found: dict[str, Box] = {}
    bottom = 0.0
    for number in sorted(rows):
        heights = [0.0, 0.0]
        row: list[Box] = []
        for folder in rows[number]:
            beside = folder.module in BESIDE
            left = MAIN + GUTTER if beside else 0.0
            right = left + SIDE if beside else MAIN
            if number == max(rows):
                right = MAIN + GUTTER + SIDE + LANE
            box = filled(folder, left, right, bottom + heights[beside])
            row.append(box)
            heights[beside] += box.height + GAP
        for box in row:  # tops in line
            box.bottom += max(heights) - heights[box.folder.module in BESIDE]
            found[box.folder.module] = box
        bottom += max(heights)
    return found


def routes(placed: Mapping[str, Box]) -> Iterator[tuple[str, str, list[tuple[float, float]]]]:
    """Return importer, imported and the corners of every arrow."""
    used: dict[tuple[str, str], int] = {}

    def port(name: str, side: str) -> float:
        """Return a shift that keeps arrows at one side of a box apart."""
        used[name, side] = used.get((name, side), 0) + 1
        return 12.0 * (used[name, side] - 1)

    for name, targets in sorted(drawn_arrows().items()):
        upper = placed[name]
        for target in sorted(targets):
            lower = placed[target]
            between = [
                box for box in placed.values()
                if lower.top < box.bottom < upper.bottom and box.left == lower.left
            ]  # fmt: skip
            if upper.left == lower.left and not between:
                x = (upper.left + min(upper.right, lower.right)) / 2 + port(target, "top")
                yield name, target, [(x, upper.bottom), (x, lower.top)]
            elif lower.left > 0 and upper.right > lower.right:  # from the roof
                x = (lower.left + lower.right) / 2
                if between:
                    x = lower.right + LANE / 2 + port("lane", "right")
                    corners = [(x, upper.bottom), (x, lower.middle), (lower.right, lower.middle)]
                else:
                    corners = [(x, upper.bottom), (x, lower.top)]
                yield name, target, corners
            elif lower.left > 0:  # through the gutter
                x, y = MAIN + GUTTER / 2, upper.bottom + 14 + port(name, "right")
                yield name, target, [(upper.right, y), (x, y), (x, lower.middle),
                                     (lower.left, lower.middle)]  # fmt: skip
            else:  # from the side into the column
                x, y = (
                    upper.left + 20 + port(name, "bottom"),
                    lower.top - 18 - port(target, "right"),
                )
                yield name, target, [(x, upper.bottom), (x, y), (lower.right, y)]


def picture() -> Figure:
    """Draw the map."""
    from matplotlib.figure import Figure

    placed = boxes()
    width = MAIN + GUTTER + SIDE + LANE
    height = max(box.top for box in placed.values())
    margin = 8.0
    size = ((width + 2 * margin) / 72, (height + 2 * margin) / 72)
    figure = Figure(figsize=size, facecolor=PAPER)
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set(xlim=(-margin, width + margin), ylim=(-margin, height + margin))
    ax.set_axis_off()
    for name, _, corners in routes(placed):
        draw_arrow(ax, corners, placed[name].colour)
    for box in placed.values():
        draw_box(ax, box)
    return figure


def draw_box(ax: Axes, box: Box) -> None:
    """Draw a folder and its files."""
    rounded(ax, box.left, box.bottom, box.right - box.left, box.height, 7, box.colour, fill=0.09)
    title = box.folder.path
    y = box.top - 17
    ax.text(box.left + PAD, y, title, color=box.colour, size=12, weight="bold", va="center")
    start = box.left + PAD + text_width(title, 12) * 1.17 + 10
    for i, told in enumerate(box.told):
        place = (start, y) if i == 0 else (box.left + PAD, y - 3 - LETTERS * i)
        ax.text(*place, told, color=INK, size=9, va="center", alpha=0.85)
    for frame in box.frames:
        x, y = box.left + frame.x, box.bottom + frame.y
        rounded(ax, x, y, frame.width, LINE, 5, box.colour, fill=0.14, line=0.7)
        ax.text(x + 7, y + LINE / 2, frame.part.name, color=box.colour, size=7.5, va="center",
                style="italic", weight="bold")  # fmt: skip
    for chip in box.chips:
        x, y = box.left + chip.x, box.bottom + chip.y + 3.5
        number = STEP.get(chip.part.module)
        paper = box.colour if number else PAPER
        rounded(ax, x, y, chip.width, LINE - 7, 4, box.colour, fill=1.0, line=0.6, paper=paper)
        ax.text(x + chip.width / 2, y + (LINE - 7) / 2 - 0.3, chip.part.name, size=8.5,
                color=PAPER if number else INK, ha="center", va="center")  # fmt: skip
        if number:
            ax.text(x + chip.width - 2, y + LINE - 8, str(number), size=7.5, weight="bold",
                    color=PAPER, ha="center", va="center", zorder=5,
                    bbox={"boxstyle": "circle,pad=0.22", "fc": INK, "ec": PAPER, "lw": 0.8},
                    )  # fmt: skip


def rounded(
    ax: Axes, x: float, y: float, width: float, height: float, radius: float, colour: str, *,
    fill: float, line: float = 1.2, paper: str = "",
) -> None:  # fmt: skip
    """Draw a rectangle with round corners, tinted on white."""
    from matplotlib.colors import to_rgb
    from matplotlib.patches import FancyBboxPatch

    tint = tuple(1 - fill * (1 - value) for value in to_rgb(colour))
    shape = f"round,pad=0,rounding_size={radius}"
    ax.add_patch(FancyBboxPatch((x, y), width, height, boxstyle=shape, linewidth=line,
                                edgecolor=colour, facecolor=paper or tint, zorder=2))  # fmt: skip


def draw_arrow(ax: Axes, corners: Sequence[tuple[float, float]], colour: str) -> None:
    """Draw an arrow around corners."""
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path as Outline

    points, codes = [corners[0]], [Outline.MOVETO]
    for before, corner, after in zip(corners, corners[1:], corners[2:], strict=False):
        points += [_toward(corner, before), corner, _toward(corner, after)]
        codes += [Outline.LINETO, Outline.CURVE3, Outline.CURVE3]
    points.append(corners[-1])
    codes.append(Outline.LINETO)
    ax.add_patch(FancyArrowPatch(
        path=Outline(points, codes), arrowstyle="-|>,head_length=5,head_width=3", color=colour,
        linewidth=1.6, zorder=3, shrinkA=0, shrinkB=0, joinstyle="miter", capstyle="butt",
    ))  # fmt: skip


def _toward(corner: tuple[float, float], end: tuple[float, float]) -> tuple[float, float]:
    """Return the point a little way from a corner toward an end."""
    step = [b - a for a, b in zip(corner, end, strict=True)]
    length = sum(abs(value) for value in step)
    share = min(8.0 / length, 0.5) if length else 0.0
    return corner[0] + share * step[0], corner[1] + share * step[1]


if __name__ == "__main__":
    picture().savefig(PICTURE, dpi=144, metadata={"Description": shown()})
    print(f"wrote {PICTURE}")
    PAGE.write_text(fill(PAGE.read_text(encoding="utf-8"), table()), encoding="utf-8")
    print(f"wrote {PAGE}")
