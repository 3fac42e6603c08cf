"""What an operator takes: tensors of the right type, on one device, in their places.

A kernel reads memory where it is told to, so that every tensor is looked at before. Shapes are the
operators' own; a check of all of them takes a few microseconds.
"""

import torch
from torch import Tensor

from ..errors import ShapeError, TensorError

WHOLE = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)


def check_tensors(**tensors: Tensor) -> None:
    """Checks numbers with a fraction: floating point, dense, and on the device of the first.

    Raises:
        TensorError: one of them is something else.
    """
    device = None
    for name, x in tensors.items():
        if not isinstance(x, Tensor):
            raise _no_tensor(name, x)
        if not x.is_floating_point():
            raise TensorError(name, "floating point", x.dtype, "Convert it with .float().")
        device = device or x.device
        if x.device != device or x.layout != torch.strided:
            raise _misplaced(name, x, device)


def check_one_type(**tensors: Tensor) -> None:
    """Raises TensorError unless tensors are of the type of the first."""
    (first, like), *others = tensors.items()
    for name, x in others:
        if x.dtype != like.dtype:
            remedy = f"Convert it with .to({like.dtype})."
            raise TensorError(name, f"{like.dtype}, as {first} is", x.dtype, remedy)


def check_whole(
    name: str, x: Tensor, device: torch.device, dtypes: tuple[torch.dtype, ...] = WHOLE
) -> None:
    """Checks whole numbers: of one of the types, dense, and on the device.

    Raises:
        TensorError: it is something else.
    """
    if not isinstance(x, Tensor):
        raise _no_tensor(name, x)
    if x.dtype not in dtypes:
        rule = " or ".join(str(dtype) for dtype in dtypes)
        raise TensorError(name, f"of type {rule}", x.dtype, "Convert it with .long().")
    if x.device != device or x.layout != torch.strided:
        raise _misplaced(name, x, device)


def _misplaced(name: str, x: Tensor, device: torch.device) -> TensorError:
    if x.device != device:
        remedy = f'Move it with .to("{device}").'
        return TensorError(name, f"on {device}, as the others are", x.device, remedy)
    return TensorError(name, "dense", x.layout, "Convert it with .to_dense().")


def _no_tensor(name: str, value: object) -> TensorError:
    return TensorError(name, "a tensor", type(value).__name__, "Make one with torch.tensor().")


def check_shape(name: str, x: Tensor, shape: tuple[int, ...], rule: str) -> None:
    """Raises ShapeError, with the rule in letters, unless x has the shape."""
    if x.shape != shape:
        raise ShapeError(name, f"{rule} = {tuple(shape)}", tuple(x.shape))


def check_ids(ids: Tensor, vocab_size: int, name: str) -> None:
    """Raises IndexError where a token is none of the vocabulary: a kernel does not check."""
    if len(ids) and not 0 <= int(ids.min()) <= int(ids.max()) < vocab_size:
        raise IndexError(f"{name} must be from 0 to {vocab_size - 1}; a token is out of range")
