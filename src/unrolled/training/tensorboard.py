"""The curves of a training as TensorBoard event files."""

from pathlib import Path
from typing import Any, Self

from ..errors import MissingExtra
from ..results.events import Diverged, Event, LoggedEvent, OnEvent, Start, Warned

LOSSES = ("train", "valid")
LOSS_TITLES = {"bits/byte": "bits_per_byte", "nats/text": "nats_per_text"}
TITLES = {
    "accuracy": "accuracy/valid",
    "gradient_norm": "gradient/norm",
    "norm_median": "gradient/norm_median",
    "norm_greatest": "gradient/norm_greatest",
    "clip_rate": "gradient/clip_rate",
    "half_life": "gradient/half_life",
    "horizon": "gradient/horizon",
}
"""Fields of events and what their curves are called."""
FLUSH_SECONDS = 10


class EventFiles:
    """An `on_event` callback that writes the events of a training as curves over its steps.

    with EventFiles(folder, then=progress) as on_event: train(run, request, on_event)

    Args:
        folder: Gets one more file; TensorBoard reads all of them as one run. Where there are
            several trainings, each gets a folder of its name in it.
        then: Another callback, which receives every event too.

    Raises:
        MissingExtra: tensorboardX is absent.
    """

    def __init__(self, folder: Path, then: OnEvent) -> None:
        try:
            import tensorboardX
        except ImportError:
            raise MissingExtra("TensorBoard output", "track") from None
        self.folder, self.then = folder, then
        self._make = tensorboardX.SummaryWriter
        self._writers: dict[str, Any] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        for writer in self._writers.values():
            writer.close()

    def __call__(self, event: Event) -> None:
        """Writes what the event has to show, then hands it on."""
        if isinstance(event, Start | LoggedEvent):
            self._write(event)
        self.then(event)

    def _write(self, event: Start | LoggedEvent) -> None:
        step = event.step
        if event.run not in self._writers:
            # A run that goes on does some steps over again: TensorBoard drops the old ones.
            # Names have the second only: the suffix keeps it from writing over the one before.
            options = {"flush_secs": FLUSH_SECONDS, "filename_suffix": f".{step}"}
            folder = str(self.folder / event.run)
            self._writers[event.run] = self._make(folder, purge_step=step + 1, **options)
        writer = self._writers[event.run]
        if isinstance(event, Start):
            return
        titles = TITLES | {name: f"{LOSS_TITLES[event.unit]}/{name}" for name in LOSSES}
        for name, title in titles.items():
            if (value := getattr(event, name, None)) is not None:
                writer.add_scalar(title, value, step)
        if isinstance(event, Warned | Diverged):
            writer.add_text("warnings", event.text, step)
