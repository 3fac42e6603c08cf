"""What happens to memory that tensors no longer need."""

import ctypes
import sys

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""M_TRIM_THRESHOLD and M_MMAP_THRESHOLD, see mallopt(3)."""
UNLIMITED = 2**31 - 1


def keep_freed_memory() -> None:
    """Lets this process keep the memory that it frees, for its next tensors.

    As it comes, the GNU C library gives large blocks back to the system at once; the next tensor
    of that size then begins with thousands of page faults, in every step of a training. For
    processes that are ours alone: the memory of somebody else's is not ours to keep.
    """
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    if hasattr(library, "mallopt"):  # musl has none
        library.mallopt(MMAP_THRESHOLD, UNLIMITED)
        library.mallopt(TRIM_THRESHOLD, UNLIMITED)
