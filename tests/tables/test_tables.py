"""Tables: what is written is read back, and what is wrong is refused by name."""

import gzip

import numpy as np
import pytest

from biglearn.io import (
    TableError,
    read_table,
    write_table,
)

COLUMNS = {"x": [1.0, 0.1, -3e-300], "y": [1 / 3, 2.0, 5e200], "w": [1.0, 2.0, 3.0]}

VALUES = np.column_stack(list(COLUMNS.values()))


@pytest.mark.parametrize("end", [".csv", ".csv.gz", ".tsv", ".parquet", ".npy"])
def test_a_written_table_is_read_back_to_the_last_bit(tmp_path, end):
    path = tmp_path / f"table{end}"
    write_table(path, COLUMNS)
    table = read_table(path)
    np.testing.assert_array_equal(table.values, VALUES)
    assert table.names == (None if end == ".npy" else ("x", "y", "w"))
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("end", [".csv", ".parquet", ".npy"])
def test_columns_are_chosen_and_ordered_by_name_or_number(tmp_path, end):
    path = tmp_path / f"table{end}"
    write_table(path, COLUMNS)
    table = read_table(path, columns=[2, 0], weights="1")
    np.testing.assert_array_equal(table.values, VALUES[:, [2, 0]])
    np.testing.assert_array_equal(table.weights, VALUES[:, 1])
    if end != ".npy":
        named = read_table(path, exclude=["x"], weights="w")
        assert named.names == ("y",)
        np.testing.assert_array_equal(named.values, VALUES[:, [1]])
        reordered = read_table(path, features=["w", "x"])
        assert reordered.names == ("w", "x")
        np.testing.assert_array_equal(reordered.values, VALUES[:, [2, 0]])


def test_a_name_made_of_digits_is_a_name_before_it_is_a_number(tmp_path):
    path = tmp_path / "years.csv"
    path.write_text("b,1,0\n10,20,30\n")
    assert read_table(path, columns=["b"]).values.tolist() == [[10.0]]
    assert read_table(path, columns=["0"]).values.tolist() == [[30.0]]


@pytest.mark.parametrize(
    ("text", "names", "values"),
    [
        ("1,2\n3,4\n", None, [[1, 2], [3, 4]]),
        ("a,b\n3,4\n", ("a", "b"), [[3, 4]]),
        ("\ufeffa,b\r\n3,4\r\n\r\n5,6", ("a", "b"), [[3, 4], [5, 6]]),
        ("a;b\n3;4\n", ("a", "b"), [[3, 4]]),
        ('"a, first",b\n"3", 4 \n', ("a, first", "b"), [[3, 4]]),
        ("a\n\n1\n2\n", ("a",), [[1], [2]]),
        ("country,1990\n3,4\n", ("country", "1990"), [[3, 4]]),
    ],
)
def test_csv_dialects(tmp_path, text, names, values):
    path = tmp_path / "data.csv"
    path.write_bytes(text.encode())
    table = read_table(path)
    assert table.names == names
    assert table.values.tolist() == values


def test_the_first_flower_is_no_header(tmp_path):
    path = tmp_path / "iris.csv"
    path.write_text("5.1,3.5,setosa\n4.9,3.0,setosa\n")
    assert read_table(path, exclude=[2]).values.tolist() == [[5.1, 3.5], [4.9, 3.0]]
    with pytest.raises(TableError, match=r"line 1, column 2: 'setosa' is not .*--exclude 2"):
        read_table(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"is empty"),
        ("\n\n", r"no rows"),
        ("a,b\n", r"no rows"),
        ("a,b\n1,2\n1,2,3\n", r"line 3 is broken: 3 values, expected 2"),
        ("a,b\n1,2\n\n1\n", r"line 4 is broken: 1 values, expected 2"),
        ('a,b\n1,2\n1,"2\n', r"line 3 is broken"),
        ("a,b\n1,2\n1,zwei\n", r"line 3, column 'b': 'zwei' is not a number.*--exclude b"),
        ("a,b\n1,2\n,zwei\n", r"line 3, column 'b': 'zwei' is not a number"),
        ("a,b\n1,2\n1,nan\n2,inf\n", r"column 'b' is inf in row 2 .* 1 of 3 rows"),
        ("a,a\n1,2\n", r"names 'a' more than once"),
    ],
)
def test_csv_faults_are_named(tmp_path, text, message):
    path = tmp_path / "data.csv"
    path.write_text(text)
    with pytest.raises(TableError, match=message):
        read_table(path)


def test_damaged_bytes_are_named(tmp_path):
    latin = tmp_path / "latin.csv"
    latin.write_bytes("a,b\n1,2\n3,é\n".encode("latin-1"))
    with pytest.raises(TableError, match="UTF-8"):
        read_table(latin)
    packed = tmp_path / "cut.csv.gz"
    packed.write_bytes(gzip.compress(b"a,b\n" + b"1,2\n" * 1000)[:-12])
    with pytest.raises(TableError, match="compressed data are damaged"):
        read_table(packed)
    for name in ("no.parquet", "no.npy", "no.npz"):
        (tmp_path / name).write_bytes(b"this is something else" * 10)
        with pytest.raises(TableError, match="damaged"):
            read_table(tmp_path / name)


def test_unknown_columns_are_answered_with_near_names(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("sepal_length,sepal_width,petal\n1,2,3\n")
    with pytest.raises(TableError, match="no column 'sepal_lenght'; near it are 'sepal_length'"):
        read_table(path, columns=["sepal_lenght"])
    with pytest.raises(TableError, match="no column '7'; they are numbered 0 to 2"):
        read_table(path, exclude=["7"])
    with pytest.raises(TableError, match="'petal' was asked for twice"):
        read_table(path, columns=["2", "petal"])
    with pytest.raises(TableError, match="no column is left of 3"):
        read_table(path, exclude=[0, 1, 2])
    with pytest.raises(TableError, match="lacks 'stem', which the model needs; it has 'sepal_l"):
        read_table(path, features=["petal", "stem"])


def test_missing_files_folders_and_endings(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"cannot read '.*none\.csv': no such file"):
        read_table(tmp_path / "none.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(IsADirectoryError, match="is a directory"):
        read_table(tmp_path / "folder.csv")
    with pytest.raises(TableError, match=r"'data\.xlsx' ends in none of \.csv"):
        read_table("data.xlsx")
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        write_table(tmp_path / "none" / "x.csv", COLUMNS)
    with pytest.raises(IsADirectoryError, match="it is a folder"):
        write_table(tmp_path / "folder.csv", COLUMNS)


def test_npz_needs_a_key_only_where_there_is_a_choice(tmp_path, rng):
    X = rng.normal(size=(4, 2))
    np.savez(tmp_path / "one.npz", X=np.asfortranarray(X))
    np.savez_compressed(tmp_path / "two.npz", X=X, y=np.arange(4))
    np.testing.assert_array_equal(read_table(tmp_path / "one.npz").values, X)
    np.testing.assert_array_equal(read_table(tmp_path / "two.npz", key="X").values, X)
    assert read_table(tmp_path / "two.npz", key="y").values.shape == (4, 1)
    with pytest.raises(TableError, match=r"several arrays \(X, y\).*--key"):
        read_table(tmp_path / "two.npz")
    with pytest.raises(TableError, match=r"no array 'Z' \(X, y\)"):
        read_table(tmp_path / "two.npz", key="Z")


def test_arrays_that_are_no_table_are_refused(tmp_path):
    faults = {
        "objects": np.array([[1, None]], dtype=object),
        "complex": np.ones((2, 2), dtype=complex),
        "text": np.array([["a"]]),
        "cube": np.ones((2, 2, 2)),
        "empty": np.ones((0, 2)),
    }
    messages = ["Python objects", "complex128", "<U1", r"\(2, 2, 2\)", "no rows"]
    for (name, array), message in zip(faults.items(), messages, strict=True):
        np.save(tmp_path / f"{name}.npy", array)
        with pytest.raises(TableError, match=message):
            read_table(tmp_path / f"{name}.npy")


def test_an_array_cut_short_is_refused(tmp_path):
    np.save(tmp_path / "x.npy", np.ones((100, 3)))
    whole = (tmp_path / "x.npy").read_bytes()
    (tmp_path / "x.npy").write_bytes(whole[:-8])
    with pytest.raises(TableError, match="claims shape"):
        read_table(tmp_path / "x.npy")


@pytest.mark.filterwarnings("ignore:.*index of a pandas frame:UserWarning")
def test_parquet_columns_of_other_kinds(tmp_path):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(
        {"x": [1, 2], "flag": [True, False], "who": ["a", "b"], "gap": [1.0, None]}, index=[7, 9]
    )
    frame.to_parquet(tmp_path / "x.parquet")
    table = read_table(tmp_path / "x.parquet", exclude=["who", "gap"])
    assert table.names == ("x", "flag")
    assert table.values.tolist() == [[1, 1], [2, 0]]
    with pytest.raises(TableError, match=r"column 'who' holds .*string.*--exclude who"):
        read_table(tmp_path / "x.parquet")
    gap = read_table(tmp_path / "x.parquet", columns=["gap"]).values
    np.testing.assert_array_equal(gap, [[1.0], [np.nan]])
    with pytest.raises(TableError, match="column 'gap' is nan in row 1"):
        read_table(tmp_path / "x.parquet", columns=["x"], weights="gap")


def test_empty_cells_of_csv_are_missing(tmp_path):
    (tmp_path / "data.csv").write_text("a,b\n1,\nNA,2\nnull,?\n")
    values = read_table(tmp_path / "data.csv").values
    np.testing.assert_array_equal(values, [[1, np.nan], [np.nan, 2], [np.nan, np.nan]])


def test_a_failed_write_leaves_the_old_file_alone(tmp_path):
    path = tmp_path / "table.parquet"
    write_table(path, COLUMNS)
    before = path.read_bytes()
    with pytest.raises(Exception, match=r"Could not convert"):
        write_table(path, {"x": np.array([1, object()], dtype=object)})
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
