"""Arrays in safetensors files that are mapped instead of read."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from ..errors import CheckpointError
from ..system.files import parse_json, write_atomically

LevelType = TypeVar("LevelType")

DTYPES = {"I64": np.int64, "U32": np.uint32, "F32": np.float32}
"""Element types that this package writes, by their safetensors names."""
TYPES = {"keys": "I64", "counts": "U32", "suffixes": "U32", "log_probs": "F32"}
TYPES |= {"log_backoffs": "F32"}
"""Those of the arrays, by the name of the field."""


def join_levels(levels: Sequence[Any]) -> dict[str, NDArray[Any]]:
    """The arrays of order 1 to N, dataclasses of one type, each under "field.order"."""
    return {
        f"{field.name}.{k}": getattr(level, field.name)
        for k, level in enumerate(levels, 1)
        for field in fields(level)
    }


def split_levels(
    arrays: Mapping[str, NDArray[Any]], order: int, make: type[LevelType]
) -> tuple[LevelType, ...]:
    """What `join_levels` was given; raises KeyError where an array is missing."""
    names = [field.name for field in fields(cast(Any, make))]
    return tuple(make(*(arrays[f"{name}.{k}"] for name in names)) for k in range(1, order + 1))


def save_arrays(
    path: str | os.PathLike[str], arrays: Mapping[str, NDArray[Any]], metadata: dict[str, Any]
) -> None:
    """Writes arrays and JSON-able values as one safetensors file, atomically."""
    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    texts = {name: json.dumps(value) for name, value in metadata.items()}
    write_atomically(path, lambda temporary: save_file(contiguous, temporary, texts))


def map_arrays(
    path: str | os.PathLike[str], kind: str
) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Maps the arrays of a safetensors file into memory; pages are read when they are used.

    Args:
        kind: What `metadata["kind"]` must say.

    Returns:
        The arrays by name, all one-dimensional and read-only, and the metadata.

    Raises:
        CheckpointError: there is no such file, or it is damaged or of another kind.
    """
    if not Path(path).is_file():
        raise CheckpointError(path, "does not exist", "Check the name.")
    try:
        data = np.memmap(path, np.uint8, "r")
        size = int.from_bytes(data[:8].tobytes(), "little")
        header = parse_json(data[8 : 8 + size].tobytes())
        texts = header.pop("__metadata__")
        metadata = {name: parse_json(text) for name, text in texts.items()}
        if metadata["kind"] != kind:
            raise CheckpointError(path, f"holds {metadata['kind']}, not {kind}", "Give another.")
        for name in ("vocab_size", "order"):
            if type(metadata[name]) is not int:
                raise ValueError(f"its {name} is no number")
        body = np.asarray(data[8 + size :])
        arrays = {name: _view(body, name, entry) for name, entry in header.items()}
        used = max(entry["data_offsets"][1] for entry in header.values())
        if used != len(body):
            raise ValueError("its length does not fit its header")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(
            path, f"is not a complete file of {kind}: {error}", "Make it again."
        ) from None
    return arrays, metadata


def _view(body: NDArray[np.uint8], name: str, entry: dict[str, Any]) -> NDArray[Any]:
    if entry["dtype"] != TYPES[name.partition(".")[0]]:
        raise ValueError(f"{name} is of type {entry['dtype']}")
    begin, end = entry["data_offsets"]
    (length,) = entry["shape"]
    array = body[begin:end].view(DTYPES[entry["dtype"]])
    if len(array) != length:
        raise ValueError("its length does not fit its header")
    return array
