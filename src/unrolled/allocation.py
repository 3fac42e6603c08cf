"""What happens to memory that tensors no longer need."""

import ctypes
import sys

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""M_TRIM_THRESHOLD and M_MMAP_THRESHOLD, see mallopt(3)."""
UNLIMITED, OLD_LIMIT = 2**31 - 1, 2**25
"""Of a threshold; older versions of the library take no more than 32 MB for MMAP_THRESHOLD."""


def keep_freed_memory() -> None:
    """Lets this process keep the memory that it frees, for its next tensors.

    As it comes, the GNU C library gives large blocks back to the system at once; the next tensor
    of that size then begins with thousands of page faults, in every step of a training. For
    processes that are ours alone: the memory of somebody else's is not ours to keep.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    # Musl has none. One threshold set alone would keep the library from adapting the other.
    if mallopt and any(mallopt(MMAP_THRESHOLD, limit) for limit in (UNLIMITED, OLD_LIMIT)):
        mallopt(TRIM_THRESHOLD, UNLIMITED)
