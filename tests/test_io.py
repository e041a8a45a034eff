"""Model files: what is written is read back, and what is wrong is refused by name."""

import io
import json
import pickle
import struct
import warnings
import zipfile

import numpy as np
import pytest

from biglearn.io import (
    ModelFileError,
    TableError,
    load_model,
    read_table,
    save_model,
)
from biglearn.model.mixture import Mixture


def test_a_model_comes_back_as_it_was(tmp_path, mixture, rng):
    path = tmp_path / "model.npz"
    info = {"method": "search", "log_likelihood": -1.5, "seed": None, "names": ["é", "b"]}
    save_model(path, mixture, info=info)
    model = load_model(path)
    assert model.info == info
    assert model.mixture.feature_names == ("a", "b", "c")
    X, _ = mixture.sample(50, rng)
    np.testing.assert_allclose(model.mixture.log_density(X), mixture.log_density(X), rtol=1e-14)
    with np.load(path, allow_pickle=False) as plain:
        np.testing.assert_array_equal(plain["covariances"], mixture.covariances)


def test_info_that_json_cannot_hold_is_refused_before_anything_is_written(tmp_path, mixture):
    for value in (float("nan"), object()):
        with pytest.raises(ValueError, match="info must hold only what JSON can"):
            save_model(tmp_path / "model.npz", mixture, info={"x": value})
    assert not list(tmp_path.iterdir())


def parts(mixture: Mixture) -> dict[str, object]:
    return {
        "format": np.array("biglearn-mixture"),
        "format_version": np.array(1),
        "weights": mixture.weights,
        "means": mixture.means,
        "covariances": mixture.covariances,
        "info": np.array("{}"),
    }


def changed(array, index, value):
    copy = np.array(array)
    copy[index] = value
    return copy


FAULTS = {
    "objects": (lambda m: {"means": np.array([[None]])}, "Python objects"),
    "foreign": (lambda m: {"format": np.array("other")}, "not written by biglearn"),
    "newer": (lambda m: {"format_version": np.array(4)}, r"format is 4 .* reads up to 3; upgrade"),
    "unsigned": (lambda m: {"format_version": np.array(3)}, "lacks checksum in format 3"),
    "no tails": (lambda m: {"format_version": np.array(2)}, "lacks dof in format 2"),
    "tails": (lambda m: {"dof": np.full(3, 4.0)}, "holds 'dof', which is unknown in format 1"),
    "renamed": (lambda m: {"dog": np.full(3, 4.0)}, "holds 'dog', which is unknown"),
    "no version": (lambda m: {"format_version": np.array(1.5)}, "format version is missing"),
    "lacking": (lambda m: {"weights": None}, "lacks weights"),
    "wrong K": (lambda m: {"weights": m.weights[:2]}, r"weights has shape \(2,\)"),
    "wrong D": (lambda m: {"covariances": m.covariances[:, :2, :2]}, r"covariances has shape"),
    "flat means": (lambda m: {"means": m.means.ravel()}, r"means has shape \(9,\)"),
    "integers": (lambda m: {"means": m.means.astype(int)}, "int64"),
    "nan": (lambda m: {"means": changed(m.means, (1, 2), np.nan)}, "means"),
    "sum": (lambda m: {"weights": m.weights * 1.1}, "sum"),
    "negative": (lambda m: {"weights": np.array([1.2, -0.1, -0.1])}, "weights"),
    "asymmetric": (lambda m: {"covariances": changed(m.covariances, (0, 0, 1), 0.9)}, "symmetric"),
    "indefinite": (lambda m: {"covariances": -m.covariances}, "positive definite"),
    "names": (lambda m: {"feature_names": np.array(["a", "b"])}, r"feature_names has shape \(2,\)"),
    "twin names": (lambda m: {"feature_names": np.array(["a", "b", "a"])}, "different names"),
    "no json": (lambda m: {"info": np.array("{")}, "no JSON"),
    "deep json": (lambda m: {"info": np.array("[" * 100_000)}, "no JSON"),
    "json list": (lambda m: {"info": np.array("[]")}, "no JSON object"),
    "number": (lambda m: {"info": np.array(3.0)}, "info is no text"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_hostile_model_is_refused(tmp_path, mixture, fault):
    change, message = FAULTS[fault]
    arrays = parts(mixture) | change(mixture)
    np.savez(tmp_path / "m.npz", **{k: v for k, v in arrays.items() if v is not None})
    with pytest.raises(ModelFileError, match=rf"not a usable model file: .*{message}"):
        load_model(tmp_path / "m.npz")


def test_nothing_can_unpack_to_more_than_the_file(tmp_path, mixture):
    np.savez_compressed(tmp_path / "m.npz", **parts(mixture))
    with pytest.raises(ModelFileError, match="packed in a way"):
        load_model(tmp_path / "m.npz")


def test_a_header_that_claims_too_much_is_refused_before_memory_is_asked_for(tmp_path, mixture):
    buffer = io.BytesIO()
    header = {"descr": "<f8", "fortran_order": False, "shape": (10**6, 10**6)}
    np.lib.format.write_array_header_1_0(buffer, header)
    np.savez(tmp_path / "m.npz", **{k: v for k, v in parts(mixture).items() if k != "means"})
    with zipfile.ZipFile(tmp_path / "m.npz", "a") as archive:
        archive.writestr("means.npy", buffer.getvalue() + bytes(80))
    with pytest.raises(ModelFileError, match=r"claims shape \(1000000, 1000000\).* 80 bytes"):
        load_model(tmp_path / "m.npz")


def test_every_truncation_and_every_flipped_byte_ends_in_one_kind_of_error(tmp_path, mixture):
    save_model(tmp_path / "m.npz", mixture, info={"method": "em"})
    whole = (tmp_path / "m.npz").read_bytes()
    broken = tmp_path / "broken.npz"
    for size in range(1, len(whole) - 1, 97):
        broken.write_bytes(whole[:size])
        with pytest.raises(ModelFileError):
            load_model(broken)
    for place in range(0, len(whole), 13):
        broken.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            model = load_model(broken)
        except ModelFileError:
            continue
        # Some bytes, such as a date in the directory, mean nothing to a reader.
        np.testing.assert_array_equal(model.mixture.means, mixture.means)


def test_files_of_old_formats_still_load(tmp_path, mixture):
    np.savez(tmp_path / "1.npz", **parts(mixture), feature_names=np.array(["a", "b", "c"]))
    dof = np.array([3.0, 5.0, 9.0])
    np.savez(tmp_path / "2.npz", **parts(mixture) | {"format_version": np.array(2), "dof": dof})
    one, two = (load_model(tmp_path / f"{n}.npz").mixture for n in "12")
    np.testing.assert_array_equal(one.means, mixture.means)
    assert one.feature_names == ("a", "b", "c")
    np.testing.assert_array_equal(two.dof, dof)


def members_of(content):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return [(name, archive.read(name)) for name in archive.namelist()]


def packed(members):
    stream = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(stream, "w") as archive:
        warnings.simplefilter("ignore")  # of names that come twice
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name), data)
    return stream.getvalue()


def flip(rng, content):
    flipped = bytearray(content)
    for place in rng.integers(len(content), size=rng.integers(1, 4)):
        flipped[place] ^= 1 << int(rng.integers(8))
    return bytes(flipped)


def mutants(rng, content, other):
    """Yield changed copies of a model file, some sound archives, or with parts of another."""
    ours, theirs = members_of(content), dict(members_of(other))
    while True:
        i, j = rng.choice(len(ours), size=2, replace=False)
        (one, first), (two, second) = ours[i], ours[j]
        yield flip(rng, content)
        yield content[: rng.integers(len(content))]
        place = int(rng.integers(len(content) // 2, len(content)))
        yield content[:place] + other[place:]
        yield packed([{i: (one, second), j: (two, first)}.get(n, m) for n, m in enumerate(ours)])
        yield packed([(two if name == one else name, data) for name, data in ours])
        yield packed([(name, data) for name, data in ours if name != one])
        yield packed([*ours, (flip(rng, one.encode()).decode("latin1"), first)])
        yield packed([(name, flip(rng, data) if name == one else data) for name, data in ours])
        yield packed([(name, theirs[name] if name == one else data) for name, data in ours])
        yield packed([ours[n] for n in rng.permutation(len(ours))])
        renamed = flip(rng, one.encode()).decode("latin1")
        yield packed([(renamed if name == one else name, data) for name, data in ours])


def everything_of(model):
    mixture = model.mixture
    arrays = (mixture.weights, mixture.means, mixture.covariances, mixture.shapes)
    numbers = b"".join(array.tobytes() for array in arrays)
    return numbers, mixture.family, mixture.feature_names, model.info


@pytest.mark.parametrize("dof", [None, [3.0, 5.0, 9.0]])
def test_no_changed_file_loads_as_another_model(tmp_path, mixture, rng, dof):
    def saved(name, scale):
        one = Mixture(
            mixture.weights,
            scale * mixture.means,
            mixture.covariances,
            feature_names=mixture.feature_names,
            dof=dof,
        )
        save_model(tmp_path / name, one, info={"seed": 3})
        return (tmp_path / name).read_bytes()

    content, other = saved("m.npz", 1.0), saved("other.npz", 2.0)
    truth = everything_of(load_model(tmp_path / "m.npz"))
    changed, refused = mutants(rng, content, other), 0
    for _ in range(300):
        (tmp_path / "changed.npz").write_bytes(next(changed))
        try:
            found = load_model(tmp_path / "changed.npz")
        except ModelFileError as error:
            refused += "changed.npz' is not a usable model file" in str(error)
        else:
            assert everything_of(found) == truth
    assert refused > 200


def npy_with(header):
    text = header.encode() + b" " * (-len(header) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


HEADERS = {
    "true": "{'descr': '<f8', 'fortran_order': False, 'shape': (True, 2)}",
    "brackets": "[" * 9000,
    "no width": "{'descr': '|V0', 'fortran_order': False, 'shape': (10000000000,)}",
    "no letters": "{'descr': '<U0', 'fortran_order': False, 'shape': (10000000000,)}",
    "nested": "{'descr': ('<f8', (2,)), 'fortran_order': False, 'shape': (1,)}",
    "python 2": "{'descr': '<f8', 'fortran_order': False, 'shape': (10L, (}",
}


@pytest.mark.parametrize("header", HEADERS)
def test_a_hostile_header_of_an_array_is_refused(tmp_path, mixture, header):
    kept = {name: value for name, value in parts(mixture).items() if name != "weights"}
    np.savez(tmp_path / "m.npz", **kept)
    with zipfile.ZipFile(tmp_path / "m.npz", "a") as archive:
        archive.writestr("weights.npy", npy_with(HEADERS[header]) + bytes(16))
    with pytest.raises(ModelFileError, match=r"m.npz' is not a usable .* 'weights' cannot be read"):
        load_model(tmp_path / "m.npz")
    (tmp_path / "rows.npy").write_bytes(npy_with(HEADERS[header]))
    with pytest.raises(TableError, match=r"rows.npy'"):
        read_table(tmp_path / "rows.npy")


def test_a_pickle_of_other_times_is_said_to_be_one(mixture):
    state = {name: getattr(mixture, name) for name in ("weights", "means", "covariances")}
    with pytest.raises(ValueError, match="another version of biglearn: it lacks shapes, family"):
        Mixture.__new__(Mixture).__setstate__(state)
    again = pickle.loads(pickle.dumps(mixture))
    np.testing.assert_array_equal(again.means, mixture.means)


def test_a_data_file_is_no_model(tmp_path):
    np.savez(tmp_path / "data.npz", X=np.ones((3, 2)))
    with pytest.raises(ModelFileError, match="not written by biglearn"):
        load_model(tmp_path / "data.npz")
    (tmp_path / "model.json").write_text(json.dumps({}))
    with pytest.raises(ModelFileError, match="not an npz archive"):
        load_model(tmp_path / "model.json")
