"""The map of the package says what the code says."""

import importlib
import re

import pytest

from examples import ROOT


@pytest.fixture
def build_map(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs")
    return importlib.import_module("build_map")


@pytest.fixture
def read_code(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs")
    return importlib.import_module("read_code")


def test_the_table_of_the_page_is_what_the_code_says(build_map):
    page = build_map.PAGE.read_text(encoding="utf-8")
    assert page == build_map.fill(page, build_map.table()), "run python docs/build_map.py"


def test_the_picture_shows_what_the_code_says(build_map):
    image = pytest.importorskip("PIL.Image", reason="to read the picture")
    with image.open(build_map.PICTURE) as picture:
        assert picture.text["Description"] == build_map.shown(), "run python docs/build_map.py"


def test_every_arrow_points_down_and_meets_its_boxes(build_map):
    pytest.importorskip("matplotlib", reason="it measures the texts")
    boxes = build_map.boxes()
    drawn = list(build_map.routes(boxes))
    assert {name: {to for source, to, _ in drawn if source == name} for name in boxes} == (
        build_map.drawn_arrows()
    )
    for name, target, corners in drawn:
        assert boxes[target].top < boxes[name].bottom
        heights = [y for _, y in corners]
        assert heights == sorted(heights, reverse=True)
        for box, (x, y) in [(boxes[name], corners[0]), (boxes[target], corners[-1])]:
            assert box.left <= x <= box.right
            assert box.bottom <= y <= box.top


def test_no_text_or_file_leaves_its_box_and_no_two_boxes_overlap(build_map):
    pytest.importorskip("matplotlib", reason="it measures the texts")
    boxes = list(build_map.boxes().values())
    for box in boxes:
        for chip in box.chips:
            assert chip.x + chip.width <= box.right - box.left
            assert chip.y < box.height
    for i, one in enumerate(boxes):
        for other in boxes[:i]:
            apart = one.left >= other.right or other.left >= one.right
            assert apart or one.bottom >= other.top or other.bottom >= one.top


def test_drawn_arrows_imply_all_others(read_code):
    def below(graph, name):
        return graph[name] | {far for near in graph[name] for far in below(graph, near)}

    graph, drawn = read_code.arrows(), read_code.drawn_arrows()
    assert any(len(drawn[name]) < len(graph[name]) for name in graph)
    assert {name: below(drawn, name) for name in graph} == {
        name: below(graph, name) for name in graph
    }


def test_imports_are_read_as_python_reads_them(read_code):
    assert "model.moments" in read_code.imports("engines.base")
    assert "engines" in read_code.imports("cli.inputs")  # `from biglearn.engines import ...`
    late = read_code.imports("estimators.selection", inside_functions=True)
    assert late - read_code.imports("estimators.selection") == {"plots"}
    assert read_code.imports("") == {"_version"}  # the rest is for type checkers


def test_files_of_a_folder_come_after_those_that_they_import(read_code):
    def check(part):
        for i, earlier in enumerate(part.parts):
            later = {file.module for other in part.parts[i + 1 :] for file in other.leaves}
            assert not any(later & read_code.imports(file.module) for file in earlier.leaves)
            check(earlier)

    for folder in read_code.folders():
        check(folder)


def test_the_page_follows_the_numbered_files(build_map, read_code):
    page = build_map.PAGE.read_text(encoding="utf-8")
    for module, number in build_map.STEP.items():
        assert module in read_code.modules()
        assert f"\n{number}. **`{module.replace('.', '/')}.py`**" in page


def test_the_page_names_only_files_that_exist(build_map, read_code):
    page = build_map.PAGE.read_text(encoding="utf-8")
    named = re.findall(r"`((?:\w+/)+\w+\.py)`", page)
    assert len(named) > 20
    roots = (read_code.PACKAGE, ROOT)
    assert [name for name in named if not any((root / name).exists() for root in roots)] == []
