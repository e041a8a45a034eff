"""Containers: the right reading, or a sentence that says what to pass instead."""

import array
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pytest

from biglearn.tables.containers import as_array, is_container, numbers_of

Y = np.array([[1.0, 2.0], [3.0, 4.0]])
GAP = np.array([[1.0, np.nan], [3.0, 4.0]])


class Bare:
    """An object with some of an array's protocols and nothing else."""

    def __init__(self, values, *names):
        for name in names:
            setattr(self, name, getattr(values, name))


class Shared:
    """An array of another library, which shares its memory through DLPack alone."""

    def __init__(self, values):
        self.values = values

    def __dlpack__(self, **how):
        return self.values.__dlpack__(**how)

    def __dlpack_device__(self):
        return self.values.__dlpack_device__()


class Elsewhere(Shared):
    def __dlpack_device__(self):
        return (2, 0)

    def __dlpack__(self, **how):
        raise BufferError("it is on a GPU")


def frame(**columns):
    return pd.DataFrame(columns)


READ = {
    "masked": (np.ma.masked_equal([[1.0, -9.0], [3.0, 4.0]], -9.0), GAP),
    "masked integers": (np.ma.masked_equal([[1, -9], [3, 4]], -9), GAP),
    "masked objects": (np.ma.array(Y.astype(object), mask=np.isnan(GAP)), GAP),
    "masked rows": ([np.ma.masked_equal([1, -9], -9), [3, 4]], GAP),
    "masked entry": (np.array([[1, np.ma.masked], [3, 4]], dtype=object), GAP),
    "None in a list": ([[1, None], [3, 4]], GAP),
    "NA in a list": ([[1, pd.NA], [3, 4]], GAP),
    "NA among objects": (np.array([[1, pd.NA], [3, 4]], dtype=object), GAP),
    "numbers as text": ([["1", "2"], ["3", " 4 "]], Y),
    "decimals": ([[Decimal("1"), 2], [3, 4]], Y),
    "a buffer": (memoryview(Y), Y),
    "a row of a buffer": (array.array("d", [1, 2]), Y[0]),
    "a range": (range(3), np.arange(3)),
    "an interface": (Bare(Y, "__array_interface__"), Y),
    "DLPack": (Shared(Y), Y),
    "nullable": (frame(a=pd.array([1, 3], "Int64"), b=pd.array([None, 4], "Float32")), GAP),
    "nullable flags": (frame(a=pd.array([True, None], "boolean")), [[1.0], [np.nan]]),
    "an object column": (frame(a=np.array([1, 3], object), b=np.array([pd.NA, 4], object)), GAP),
    "pyarrow in pandas": (frame(a=[1, 3], b=pd.array([None, 4], "int64[pyarrow]")), GAP),
    "polars": (pl.DataFrame({"a": [1, 3], "b": [None, 4.0]}), GAP),
    "decimals of polars": (pl.DataFrame({"a": [Decimal("1.5"), None]}), [[1.5], [np.nan]]),
    "a series": (pd.Series([1, None], dtype="Int64"), [1.0, np.nan]),
}


@pytest.mark.parametrize("name", READ)
def test_a_container_is_read_without_loss(name):
    given, expected = READ[name]
    np.testing.assert_array_equal(as_array(given), expected, strict=not name.startswith("a range"))


REFUSED = {
    "dates": (np.array([["2020-01-01"]], "M8[D]"), r"holds dates or durations \(datetime64\[D\]\)"),
    "durations": (np.array([[1]], "m8[s]"), r"timedelta64\[s\]"),
    "masked dates": (np.ma.array([[1]], "M8[D]"), r"datetime64\[D\]"),
    "date objects": ([[pd.Timestamp("2020-01-01")]], "Timestamp.* is a date or a time"),
    "not a time": ([[pd.NaT]], "NaT is a date"),
    "columns of dates": (frame(a=[1], day=pd.to_datetime(["2020-01-01"])), r"columns \['day'\]"),
    "records": (frame(a=[1.0]).to_records(), r"\['index', 'a'\].*structured_to_unstructured"),
    "a dict": ({"a": [1.0]}, r"X is a dict.*pandas\.DataFrame\(X\)"),
    "dicts": ([{"a": 1.0}], r"X is a list of dict.*pandas\.DataFrame\(X\)"),
    "a set": ({1.0, 2.0}, "X is a set, which has no rows and columns"),
    "bytes": (b"\x00" * 8, "X is a bytes"),
    "underscores": ([["1_000", "2"]], "no numbers.*'1_000'"),
    "other digits": (np.array([["١٢"]]), "no numbers.*'١٢'"),
    "text": ([[1.0, "two"]], "no numbers.*'two'"),
    "a column of text": (pl.DataFrame({"a": [1], "kind": ["x"]}), r"columns \['kind'\] do not"),
    "complex columns": (frame(a=[1j], b=[1]), r"columns \['a'\] do not hold numbers"),
    "a lazy frame": (pl.LazyFrame({"a": [1]}), r"lazy frame.*X\.collect\(\)"),
    "twin columns": (pd.DataFrame(Y, columns=["a", "a"]), "different names.*'a' 2 times"),
    "elsewhere": (Elsewhere(Y), "X is a Elsewhere that NumPy cannot read .*GPU.*CPU first"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_container_that_is_no_table_of_numbers_is_refused(name):
    given, message = REFUSED[name]
    with pytest.raises(ValueError, match=message):
        as_array(given)
    assert is_container(given) or name == "a lazy frame"


@pytest.mark.filterwarnings("ignore:.*:DeprecationWarning")
def test_pyarrow_and_its_streams_are_tables():
    pyarrow = pytest.importorskip("pyarrow")
    table = pyarrow.table({"a": [1, 3], "b": pyarrow.array([None, 4], pyarrow.int8())})
    values, names = numbers_of(table)
    np.testing.assert_array_equal(values, GAP)
    assert names == ("a", "b")
    for other in (table.to_batches()[0], Bare(table, "__arrow_c_stream__")):
        np.testing.assert_array_equal(as_array(other), GAP)


def test_tensors_of_torch_are_arrays():
    torch = pytest.importorskip("torch")
    for given in (torch.tensor(Y, requires_grad=True), torch.tensor(Y, dtype=torch.bfloat16)):
        np.testing.assert_array_equal(as_array(given), Y)


def test_an_array_stays_as_it_is():
    for kind in (np.float64, np.float32, np.int8, bool, complex):
        given = Y.astype(kind)
        assert as_array(given) is given
    assert as_array(np.ma.masked_equal(Y.astype(np.float32), 2)).dtype == np.float32
    assert numbers_of(frame(a=np.float32([1, 2])))[0].dtype == np.float32


def test_what_is_no_container_comes_back(tmp_path):
    for given in (tmp_path, "name.csv", iter([]), object()):
        assert as_array(given) is given
    assert not is_container(iter([]))
