"""The curves of a training as TensorBoard event files."""

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ..errors import MissingExtra

SCALARS = {
    "train": "bits_per_byte/train",
    "valid": "bits_per_byte/valid",
    "gradient_norm": "gradient/norm",
    "norm_median": "gradient/norm_median",
    "norm_greatest": "gradient/norm_greatest",
    "clip_rate": "gradient/clip_rate",
    "half_life": "gradient/half_life",
    "horizon": "gradient/horizon",
}
"""Values of records and what their curves are called."""
FLUSH_SECONDS = 10


class EventFiles:
    """Hears the records of one training and writes them as curves over its steps.

    with EventFiles(folder, then=progress) as listener: train(run, request, listener)

    Args:
        folder: Gets one more file; TensorBoard reads all of them as one run.
        then: Another listener, which hears every record too.

    Raises:
        MissingExtra: tensorboardX is absent.
    """

    def __init__(self, folder: Path, then: Callable[[dict[str, Any]], None]) -> None:
        try:
            import tensorboardX
        except ImportError:
            raise MissingExtra("TensorBoard output", "track") from None
        self.folder, self.then = folder, then
        self._make = tensorboardX.SummaryWriter
        self._writer: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._writer is not None:
            self._writer.close()

    def __call__(self, record: dict[str, Any]) -> None:
        """Writes what the record has to show, then hands it on."""
        if "step" in record:
            self._write(record, record["step"])
        self.then(record)

    def _write(self, record: dict[str, Any], step: int) -> None:
        if self._writer is None:
            # A run that goes on does some steps over again: TensorBoard drops the old ones.
            # Names have the second only: the suffix keeps it from writing over the one before.
            options = {"flush_secs": FLUSH_SECONDS, "filename_suffix": f".{step}"}
            self._writer = self._make(str(self.folder), purge_step=step + 1, **options)
        for name, title in SCALARS.items():
            if record.get(name) is not None:
                self._writer.add_scalar(title, record[name], step)
        if record["kind"] in ("warning", "diverged"):
            self._writer.add_text("warnings", record["text"], step)
