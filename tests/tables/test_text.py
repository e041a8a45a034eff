"""Text: its layout is recognised and said, and both parsers read the same numbers from it."""

import bz2
import gzip
import lzma

import numpy as np
import pandas as pd
import pytest

from biglearn.io import TableError, TextFormat, read_table, write_table
from biglearn.tables import text, writers
from biglearn.tables.layout import layout_of

EVERYTHING = 1 << 60


@pytest.fixture(params=["python", "pyarrow"])
def parser(request, monkeypatch):
    """Read by one parser, whatever the size of the file."""
    if request.param == "pyarrow":
        pytest.importorskip("pyarrow")
    monkeypatch.setattr(text, "ARROW_BYTES", 0 if request.param == "pyarrow" else EVERYTHING)
    return request.param


def written(folder, content, name="data.csv"):
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


# Row labels


@pytest.mark.parametrize("index", [range(4), [7, 3, 9, 9], list("wxyz")], ids=str)
def test_the_index_of_a_pandas_frame_is_no_feature(tmp_path, parser, index):
    frame = pd.DataFrame({"a": [0.5, 1, 2, 3], "b": [4, 5.5, 6, 7]}, index=index)
    frame.to_csv(tmp_path / "data.csv")
    with pytest.warns(UserWarning, match="column '' has no name and holds row labels.*left out"):
        table = read_table(tmp_path / "data.csv")
    assert table.names == ("a", "b")
    np.testing.assert_array_equal(table.values, frame.to_numpy())


def test_row_labels_are_read_when_they_are_asked_for(tmp_path):
    pd.DataFrame({"a": [0.5, 1.5]}).to_csv(tmp_path / "data.csv")
    assert read_table(tmp_path / "data.csv", columns=[0, "a"]).values.tolist() == [
        [0, 0.5],
        [1, 1.5],
    ]


def test_an_index_that_was_read_and_written_again_is_no_feature(tmp_path):
    pd.DataFrame({"a": [0.5, 1.5]}).to_csv(tmp_path / "once.csv")
    pd.read_csv(tmp_path / "once.csv").to_csv(tmp_path / "twice.csv", index=False)
    with pytest.warns(UserWarning, match="column 'Unnamed: 0'"):
        assert read_table(tmp_path / "twice.csv").names == ("a",)


def test_an_unnamed_column_that_was_named_so_and_does_not_count_is_a_feature(tmp_path):
    assert read_table(written(tmp_path, "Unnamed: 0,b\n5,1\n9,2\n7,0\n")).values.shape == (3, 2)


def test_the_row_names_of_r_are_no_feature(tmp_path):
    with pytest.warns(UserWarning, match="left out"):
        table = read_table(written(tmp_path, '"a"\t"b"\n"1"\t5.1\t3.5\n"2"\t4.9\t3\n', "data.tsv"))
    assert table.names == ("a", "b")
    assert table.values.tolist() == [[5.1, 3.5], [4.9, 3.0]]


def test_an_unnamed_column_of_measurements_is_a_feature(tmp_path):
    assert read_table(written(tmp_path, ",b\n0.5,1\n1.5,2\n")).values.shape == (2, 2)


@pytest.mark.parametrize("name", ["id", None])
def test_the_index_in_parquet_is_no_feature(tmp_path, name):
    pytest.importorskip("pyarrow")
    frame = pd.DataFrame({"a": [0.5, 1.5]}, index=pd.Index([4, 2], name=name))
    frame.to_parquet(tmp_path / "data.parquet")
    with pytest.warns(UserWarning, match="holds the index of a pandas frame: it is left out"):
        table = read_table(tmp_path / "data.parquet")
    assert (table.names, table.values.tolist()) == (("a",), [[0.5], [1.5]])
    if name is not None:
        assert read_table(tmp_path / "data.parquet", columns=["id"]).values.tolist() == [[4], [2]]


# Headers of numbers


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ("2019,2020\n1.5,2.5\n", ("2019", "2020")),
        ("2000,2005,2010\n15,27,13\n22,4,9\n", ("2000", "2005", "2010")),
        ("0,1\n5,3\n2,2\n", ("0", "1")),
    ],
)
def test_a_first_line_that_alone_counts_up_is_names(tmp_path, content, names):
    path = written(tmp_path, content)
    with pytest.warns(UserWarning, match=r"counts up and the others do not.*--no-header"):
        table = read_table(path)
    assert table.names == names
    rows = len(content.splitlines())
    assert len(table.values) == rows - 1
    if names[0].isdigit():
        assert len(read_table(path, text=TextFormat(header=False)).values) == rows


def test_years_above_text_are_names_too(tmp_path):
    path = written(tmp_path, "country,2019,2020\nFrance,1.5,2.5\nPeru,3.5,0.5\n")
    with pytest.warns(UserWarning, match="counts up"):
        assert read_table(path, exclude=[0]).values.tolist() == [[1.5, 2.5], [3.5, 0.5]]


@pytest.mark.parametrize("content", ["1,2\n3,4\n", "1,2\n2,3\n3,4\n", "5,3\n1,2\n", "7\n8\n"])
def test_rows_of_numbers_are_no_names(tmp_path, content):
    table = read_table(written(tmp_path, content))
    assert (table.names, len(table.values)) == (None, len(content.splitlines()))


def test_a_first_line_among_others_that_count_is_a_row_and_said(tmp_path):
    path = written(tmp_path, "1,2\n5,6\n" + "4,1\n" * 4)
    with pytest.warns(UserWarning, match="as some others do, and is read as a row.*--header"):
        assert len(read_table(path).values) == 6
    assert read_table(path, text=TextFormat(header=True)).names == ("1", "2")


def test_a_frame_of_numbered_columns_comes_back(tmp_path, rng):
    X = rng.normal(size=(30, 3))
    pd.DataFrame(X).to_csv(tmp_path / "data.csv")
    with (
        pytest.warns(UserWarning, match="counts up"),
        pytest.warns(UserWarning, match="row labels"),
    ):
        table = read_table(tmp_path / "data.csv")
    assert table.names == ("0", "1", "2")
    np.testing.assert_array_equal(table.values, X)


def test_few_rows_of_chance_do_not_hide_a_header():
    counting, other = ["5", "6"], ["6", "5"]
    names = layout_of([["0", "1"], counting, *[other] * 19], TextFormat()).columns.names
    assert names == ("0", "1")
    assert layout_of([["0", "1"], counting, *[other] * 18], TextFormat()).columns.names is None


# Cells


@pytest.mark.parametrize("cell", ["1_000", "١٢", "1٫5", "½", "0x1A", "1d5", "12 000", "１２"])
def test_what_only_looks_like_a_number_is_none(tmp_path, parser, cell):
    path = written(tmp_path, f"a,b\n1,2\n3,{cell}\n")
    with pytest.raises(TableError, match=f"line 3, column 'b': '{cell}' is not a number"):
        read_table(path)


@pytest.mark.parametrize(
    ("form", "content", "values"),
    [
        (TextFormat(decimal=","), "a;b\n1,5;2\n-,5;1e3\n", [[1.5, 2], [-0.5, 1000]]),
        (TextFormat(thousands=","), 'a,b\n"1,234,567.5",2\n', [[1234567.5, 2]]),
        (TextFormat(thousands=".", decimal=","), "a;b\n1.234,5;2\n", [[1234.5, 2]]),
        (TextFormat(thousands="\u202f"), "a,b\n1\u202f234,2\n", [[1234, 2]]),
        (TextFormat(missing=["-999", "."]), "a,b\n-999.0,.\n1,-9990\n", [[np.nan] * 2, [1, -9990]]),
        (TextFormat(delimiter=" "), "a b\n1 2\n", [[1, 2]]),
        (TextFormat(delimiter=":"), "a:b\n1:2\n", [[1, 2]]),
        (TextFormat(encoding="utf-16-le"), "a,b\n1,2\n".encode("utf-16-le"), [[1, 2]]),
        (TextFormat(encoding="latin-1"), "é,b\n1,2\n".encode("latin-1"), [[1, 2]]),
        (TextFormat(), "é,b\n1,2\n".encode("utf-16"), [[1, 2]]),
        (TextFormat(), "a|b\n1|2\n", [[1, 2]]),
        (TextFormat(), "a,b\nNA, 2 \n<NA>,#N/A\n", [[np.nan, 2], [np.nan, np.nan]]),
    ],
    ids=str,
)
def test_text_is_read_as_its_format_says(tmp_path, parser, form, content, values):
    np.testing.assert_array_equal(read_table(written(tmp_path, content), text=form).values, values)


@pytest.mark.parametrize(
    ("form", "content", "part"),
    [
        (TextFormat(decimal=","), "a;b\n1.5;2\n", "'1.5' is not a number"),
        (TextFormat(thousands=","), 'a;b\n"1,5";2\n', "'1,5' is not a number"),
        (TextFormat(), "a;b\n1,5;2\n", r"'1,5' is not a number; .* decimal=',' .*--decimal ,"),
        (TextFormat(), "a;b\n1,234.5;2\n", r"thousands=',' .*--thousands ,"),
        (TextFormat(header=False), "a,b\n1,2\n", "line 1, column 0: 'a' is not a number"),
        (TextFormat(encoding="ascii"), "a,b\né,2\n", "not text in ascii; .*--encoding"),
    ],
    ids=str,
)  # fmt: skip
def test_cells_of_another_format_are_refused(tmp_path, parser, form, content, part):
    with pytest.raises(TableError, match=part):
        read_table(written(tmp_path, content), text=form)


def test_a_text_format_is_checked_when_it_is_made():
    for wrong, part in [
        ({"delimiter": ",,"}, "delimiter must be one character.*',,'"),
        ({"decimal": "5"}, "decimal must be .* got '5'"),
        ({"decimal": ",", "delimiter": ","}, "decimal must differ.*got ','"),
        ({"encoding": "utf-99"}, "no encoding 'utf-99'"),
    ]:
        with pytest.raises(ValueError, match=part):
            TextFormat(**wrong)


def test_codes_of_missing_values_hold_for_every_format(tmp_path):
    np.save(tmp_path / "data.npy", np.array([[1.0, -999.0], [-99.0, 2.0]]))
    values = read_table(tmp_path / "data.npy", text=TextFormat(missing=["-999"])).values
    np.testing.assert_array_equal(values, [[1, np.nan], [-99, 2]])


# The two parsers


def test_a_quoted_cell_without_text_is_a_row(tmp_path, parser):
    pd.DataFrame({"a": [1.0, np.nan, 2.0]}).to_csv(tmp_path / "data.csv", index=False)
    values = read_table(tmp_path / "data.csv").values
    np.testing.assert_array_equal(values, [[1], [np.nan], [2]])


@pytest.mark.parametrize("cell", ['"two\nlines"', '"a ""b"" c"', '5" pipe', "é"])
def test_text_that_is_left_out_costs_no_row(tmp_path, parser, cell):
    path = written(tmp_path, f"a,b\n1,{cell}\n2,x\n3,{cell}\n4,y\n")
    assert read_table(path, exclude=["b"]).values.ravel().tolist() == [1, 2, 3, 4]


def test_a_quote_without_end_swallows_no_rows(tmp_path, parser):
    for before in (0, 2000):  # within the lines that are looked at first, and after them
        path = written(tmp_path, "a,b\n" + "1,x\n" * before + '1,"x\n2,y\n3,z\n')
        with pytest.raises(TableError, match="is broken"):
            read_table(path, exclude=["b"])


def test_a_fault_far_down_is_named_by_both_parsers(tmp_path, parser, monkeypatch):
    monkeypatch.setattr("biglearn.tables.arrow._BLOCK", 1 << 12)
    lines = [f"{i},{i / 7!r}" for i in range(5000)]
    path = written(tmp_path, "a,b\n" + "\n".join([*lines, " +7 , NAN ", *lines]) + "\n")
    table = read_table(path)
    np.testing.assert_array_equal(table.values[4999], [4999, 4999 / 7])
    np.testing.assert_array_equal(table.values[5000], [7, np.nan])
    assert len(table.values) == 10_001
    lines[3000] = "1,2,3"
    path = written(tmp_path, "a,b\n" + "\n".join(lines) + "\n")
    with pytest.raises(TableError, match="line 3002 is broken: 3 values, expected 2"):
        read_table(path)
    lines[3000] = "   "  # a blank line, to which pyarrow objects
    path = written(tmp_path, "a,b\n" + "\n".join(lines) + "\n")
    assert read_table(path).values[2999:3001, 0].tolist() == [2999, 3001]


def test_large_files_are_read_by_pyarrow_alone(tmp_path, monkeypatch):
    pytest.importorskip("pyarrow")
    monkeypatch.setattr(text, "ARROW_BYTES", 0)
    monkeypatch.setattr(text, "_line_by_line", None)
    np.testing.assert_array_equal(read_table(written(tmp_path, "a,b\n1,\n3,4\n")).values[1], [3, 4])


@pytest.mark.parametrize(
    ("pack", "end"), [(gzip.compress, ".gz"), (bz2.compress, ".bz2"), (lzma.compress, ".xz")]
)
def test_compressed_text_is_read_and_damage_is_said(tmp_path, parser, pack, end):
    content = b"a,b\n" + b"1,2\n" * 1000
    assert len(read_table(written(tmp_path, pack(content), f"x.csv{end}")).values) == 1000
    cut = pack(content + np.random.default_rng(0).bytes(1000).hex(",").encode())[:-40]
    with pytest.raises(TableError, match="compressed data are damaged"):
        read_table(written(tmp_path, cut, f"cut.csv{end}"))
    with pytest.raises(TableError, match="compressed data are damaged"):
        read_table(written(tmp_path, b"this is something else" * 10, f"no.csv{end}"))


@pytest.mark.parametrize("end", [".csv.bz2", ".tsv.xz", ".csv.zst", ".tsv.gz"])
@pytest.mark.parametrize("many", [False, True])
def test_both_writers_write_what_is_read_back(tmp_path, monkeypatch, end, many):
    if many or "zst" in end:
        pytest.importorskip("pyarrow")
    monkeypatch.setattr(writers, "ARROW_CELLS", 0 if many else EVERYTHING)
    columns = {
        'x, "y"': np.array([1 / 3, -3e-300, np.nan]),
        "n": np.array([1, -(2**53), 0]),
        "f": np.array([0.1, 1e20, 3], dtype=np.float32),
    }
    write_table(tmp_path / f"data{end}", columns)
    table = read_table(tmp_path / f"data{end}")
    assert table.names == tuple(columns)
    # float32 is written with as many digits as tell it from its neighbours
    np.testing.assert_array_equal(table.values[:, :2].T, list(columns.values())[:2])
    np.testing.assert_array_equal(table.values[:, 2].astype(np.float32), columns["f"])


@pytest.mark.parametrize("kind", [">i4", ">f8", "f2", "longdouble", "u8", "i1"])
def test_every_kind_of_number_is_written(tmp_path, monkeypatch, kind):
    monkeypatch.setattr(writers, "ARROW_CELLS", 0)
    values = np.array([1, 2, 100], dtype=kind)
    write_table(tmp_path / "data.csv", {"x": values, "y": values[::-1]})
    found = read_table(tmp_path / "data.csv").values
    np.testing.assert_array_equal(found, [[1, 100], [2, 2], [100, 1]])


def test_text_is_written_so_that_it_can_be_read(tmp_path, monkeypatch):
    monkeypatch.setattr(writers, "ARROW_CELLS", 0)
    columns = {"who": np.array(['a "b", c', "d"], dtype=object), "x": np.array([0.5, 1.5])}
    write_table(tmp_path / "data.csv", columns)
    found = pd.read_csv(tmp_path / "data.csv")
    assert {name: column.tolist() for name, column in found.items()} == {
        name: column.tolist() for name, column in columns.items()
    }
