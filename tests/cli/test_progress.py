"""What the bars of the terminal say."""

from unrolled.cli.progress import Progress
from unrolled.results.events import End, TrainStep, Validation

AT = {"step": 3, "tokens": 5000, "seconds": 10.0, "fraction": 0.25}


def figures(progress: Progress, name: str) -> str:
    (task,) = [task for task in progress.bar.tasks if task.description == name]
    return task.fields["figures"]


def test_losses_are_in_their_unit_and_the_time_left_is_there():
    with Progress() as progress:
        progress(TrainStep(**AT, train=2.5, gradient_norm=0.1))
        assert figures(progress, "training") == "train 2.500 bits/byte  500 tokens/s  0:30 left"
        look = {"train": 0.5, "valid": 0.75, "accuracy": 0.625, "unit": "nats/text", "run": "gru"}
        progress(Validation(**AT, **look))
        assert figures(progress, "gru") == (
            "train 0.500 62.5 % right, valid 0.750 nats/text  500 tokens/s  0:30 left"
        )
        progress(End(**AT, valid=0.7, unit="nats/text", run="gru"))
        assert figures(progress, "gru") == "valid 0.700 nats/text  500 tokens/s  0:10"
