"""One look for all pictures in docs/figures/; matplotlib is of the group "dev"."""

from pathlib import Path
from typing import Any


def begin(columns: int = 1, width: float = 7.5, height: float = 4.8, **options: Any) -> Any:
    """A figure and its axes, `columns` of them beside each other.

    Args:
        columns: Panels; one gives the axes themselves, more an array of them.
        width: Inches.
        height: Inches.
        options: For `pyplot.subplots`.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    # The same figures give the same file.
    matplotlib.rcParams.update({"svg.hashsalt": "unrolled", "font.size": 11})
    figure, axes = pyplot.subplots(
        1, columns, figsize=(width, height), layout="constrained", **options
    )
    for each in [axes] if columns == 1 else axes:
        each.grid(alpha=0.25)
        each.spines[["top", "right"]].set_visible(False)
    return figure, axes


def save(figure: Any, path: Path) -> None:
    """Writes an SVG without a date, so that it changes only where the figures do."""
    from matplotlib import pyplot

    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB", flush=True)
