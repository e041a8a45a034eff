"""Tables of numbers in and out, and models in and out without pickle.

A model file is an npz archive of plain arrays, so `numpy.load(path, allow_pickle=False)` reads
it without this library:

| member         | shape     | content |
| -------------- | --------- | ------- |
| format         | ()        | `"biglearn-mixture"` |
| format_version | ()        | 3 |
| weights        | (K,)      | π, positive, sum 1 |
| means          | (K, D)    | μ, in the units of the data |
| covariances    | (K, D, D) | Σ, in the units of the data; (K, D, 1, 1) if Σ is diagonal |
| feature_names  | (D,)      | names, where the data had them |
| dof            | (K,)      | degrees of freedom, of Student-t components |
| info           | ()        | a JSON object: how the model was made |
| checksum       | ()        | of all the others; see `checksum_of` |

Files of format 1 and 2 have no checksum, and of these only 2 has `dof`.  A file that holds
anything else is refused, since what it means is not known.
"""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from biglearn.model.families import FAMILIES
from biglearn.model.mixture import Mixture
from biglearn.tables.columns import TableError
from biglearn.tables.files import Archive, reading, replacing, write_npz
from biglearn.tables.formats import TextFormat
from biglearn.tables.tables import Table, read_table, write_table

__all__ = [
    "Model",
    "ModelFileError",
    "Table",
    "TableError",
    "TextFormat",
    "checksum_of",
    "load_model",
    "read_table",
    "save_model",
    "write_table",
]

FORMAT = "biglearn-mixture"
FORMAT_VERSION = 3

#: Members of every model file, and those that it may have.
_NEEDED = ("format", "format_version", "weights", "means", "covariances", "info")
_OPTIONAL = ("feature_names", *(name for one in FAMILIES.values() for name in one.shape_names))


class ModelFileError(ValueError):
    """A model file is damaged, hostile, of a newer format, or no model file at all."""


@dataclass(frozen=True)
class Model:
    """A mixture and a record of how it was made.

    Parameters
    ----------
    mixture : Mixture
        The distribution.
    info : dict, default={}
        Anything JSON can hold, such as method, seed and log-likelihood.

    Examples
    --------
    >>> import numpy as np
    >>> from biglearn import Mixture
    >>> from biglearn.io import Model
    >>> Model(Mixture([1.0], [[0.0]], [[[1.0]]]), {"seed": 3})
    Model(mixture=Mixture(K=1, D=1), info={'seed': 3})
    """

    mixture: Mixture
    info: dict[str, Any] = field(default_factory=dict)


def save_model(
    path: str | os.PathLike[str], mixture: Mixture, *, info: Mapping[str, Any] | None = None
) -> None:
    """Save a mixture so that `load_model` gives back the very same numbers.

    The file takes the place of an older one only once it is complete.

    Parameters
    ----------
    path : str or path
        File to write; ``.npz`` is the usual ending, and none is added.
    mixture : Mixture
        The distribution.
    info : mapping, default=None
        How the model was made, in values that JSON can hold.

    Raises
    ------
    ValueError
        If `info` holds something that JSON cannot, NaN included, or the family of the
        components is not one of the library's.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> import tempfile, pathlib, numpy as np
    >>> from biglearn import Mixture
    >>> mixture = Mixture(np.ones(1), np.zeros((1, 2)), np.eye(2)[None])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "model.npz"
    ...     save_model(path, mixture, info={"method": "em"})
    ...     load_model(path).info
    {'method': 'em'}
    """
    try:
        text = json.dumps(dict(info or {}), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"info must hold only what JSON can: {error}") from error
    arrays: dict[str, NDArray[Any]] = {
        "format": np.array(FORMAT),
        "format_version": np.array(FORMAT_VERSION),
        "weights": np.asarray(mixture.weights),
        "means": np.asarray(mixture.means),
        "covariances": np.asarray(mixture.blocks),
        "info": np.array(text),
    }
    if type(FAMILIES.get(mixture.family.name)) is not type(mixture.family):
        raise ValueError(
            f"load_model could not read family {mixture.family.name!r}: the families of model "
            f"files are {list(FAMILIES)}"
        )
    arrays |= {name: np.asarray(column) for name, column in mixture.named_shapes.items()}
    if mixture.feature_names is not None:
        arrays["feature_names"] = np.array(list(mixture.feature_names), dtype=np.str_)
    arrays["checksum"] = np.array(checksum_of(arrays))
    with replacing(Path(path)) as stream:
        write_npz(stream, arrays)


def checksum_of(arrays: Mapping[str, NDArray[Any]]) -> str:
    """Return a digest of the names, order, types, shapes and bytes of arrays.

    Parameters
    ----------
    arrays : mapping of str to ndarray

    Returns
    -------
    str
        64 hexadecimal digits of BLAKE2b.

    Examples
    --------
    >>> import numpy as np
    >>> from biglearn.io import checksum_of
    >>> checksum_of({"weights": np.ones(1)})[:8]
    'fd97e579'
    """
    digest = hashlib.blake2b(digest_size=32)
    for name, array in arrays.items():
        digest.update(json.dumps([name, array.dtype.str, array.shape]).encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def load_model(path: str | os.PathLike[str]) -> Model:
    """Load a model that `save_model` wrote, trusting nothing in the file.

    Nothing is unpickled or unpacked, no array may be larger than the file, the checksum has to
    be right, and the parameters have to be those of a mixture.

    Parameters
    ----------
    path : str or path
        The model file.

    Returns
    -------
    Model
        The mixture and its `info`.

    Raises
    ------
    ModelFileError
        If the file is not a usable model; the message says why.
    OSError
        If the file is missing or unreadable.

    Examples
    --------
    >>> load_model("nowhere.npz")
    Traceback (most recent call last):
    FileNotFoundError: cannot read 'nowhere.npz': no such file or directory
    """
    try:
        with reading(Path(path)) as stream:
            archive = Archive(stream, stored=True)
            _check_format(archive)
            return Model(_mixture(archive), _info(archive))
    except ValueError as error:
        raise ModelFileError(f"{str(path)!r} is not a usable model file: {error}") from error


def _check_format(archive: Archive) -> None:
    missing = [name for name in _NEEDED if name not in archive.names]
    if "format" in missing or str(archive["format"]) != FORMAT:
        raise ValueError("it was not written by biglearn")
    given = archive["format_version"] if "format_version" not in missing else np.array(None)
    if given.shape != () or given.dtype.kind not in "iu" or given < 1:
        raise ValueError("its format version is missing or no positive integer")
    version = int(given)
    if version > FORMAT_VERSION:
        raise ValueError(
            f"its format is {version} and this version of biglearn reads up to "
            f"{FORMAT_VERSION}; upgrade biglearn to read it"
        )
    extra = [name for name in archive.names if name not in _known_in(version)]
    missing += ["checksum"] * (version > 2 and "checksum" not in archive.names)
    missing += ["dof"] * (version == 2 and "dof" not in archive.names)
    if missing or extra:
        faults = [f"lacks {', '.join(missing)}"] * bool(missing)
        faults += [f"holds {', '.join(map(repr, extra))}, which is unknown"] * bool(extra)
        raise ValueError(f"it {' and '.join(faults)} in format {version}: it is damaged")
    if version > 2:
        _check_sum(archive)


def _known_in(version: int) -> tuple[str, ...]:
    """Return the members that a file of a format may have."""
    if version > 2:
        return (*_NEEDED, *_OPTIONAL, "checksum")
    return (*_NEEDED, "feature_names", *(["dof"] if version == 2 else []))


def _check_sum(archive: Archive) -> None:
    arrays = {name: archive[name] for name in archive.names}
    stated = str(arrays.pop("checksum"))
    found = checksum_of(arrays)
    if stated != found:
        raise ValueError(f"its checksum is {stated[:70]!r} and its content has {found!r}")


def _floats(archive: Archive, name: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
    values = archive[name]
    if values.dtype.kind != "f" or values.shape != shape:
        raise ValueError(f"{name} has shape {values.shape} of {values.dtype}, expected {shape}")
    return values.astype(np.float64)


def _mixture(archive: Archive) -> Mixture:
    means = archive["means"]
    if means.ndim != 2 or means.size == 0:
        raise ValueError(f"means has shape {means.shape}, expected (components, features)")
    n_components, n_features = means.shape
    names: Sequence[str] | None = None
    if "feature_names" in archive.names:
        stored = archive["feature_names"]
        if stored.dtype.kind != "U" or stored.shape != (n_features,):
            raise ValueError(f"feature_names has shape {stored.shape}, expected ({n_features},)")
        names = tuple(str(name) for name in stored)
    known = set(archive.names)
    families = [one for one in FAMILIES.values() if set(one.shape_names) <= known]
    family = max(families, key=lambda one: len(one.shape_names))
    diagonal = (n_components, n_features, 1, 1)
    given = archive["covariances"].shape
    shape = diagonal if given == diagonal else (n_components, n_features, n_features)
    columns = [_floats(archive, name, (n_components,)) for name in family.shape_names]
    return Mixture(
        _floats(archive, "weights", (n_components,)),
        _floats(archive, "means", (n_components, n_features)),
        _floats(archive, "covariances", shape),
        feature_names=names,
        family=family,
        shapes=np.stack(columns, axis=1) if columns else None,
    )


def _info(archive: Archive) -> dict[str, Any]:
    text = archive["info"]
    if text.shape != () or text.dtype.kind != "U":
        raise ValueError("info is no text")
    try:
        info = json.loads(str(text))
    except (ValueError, RecursionError) as error:
        raise ValueError("info is no JSON") from error
    if not isinstance(info, dict):
        raise ValueError("info is no JSON object")
    return info
