"""What can go wrong that a user can mend, each said in one sentence with the next step."""


class UnrolledError(Exception):
    """Root of every error that the command line prints as one line and the server as JSON."""


class ConfigError(UnrolledError):
    """A setting breaks its rule: `<name> must be <rule>, got <value>. <what to do next>`."""

    def __init__(self, name: str, rule: str, value: object, remedy: str) -> None:
        super().__init__(f"{name} must be {rule}, got {value}. {remedy}")


class ShapeError(UnrolledError):
    """A tensor does not have the shape that its docstring states."""

    def __init__(self, name: str, expected: str, got: tuple[int, ...]) -> None:
        super().__init__(f"{name} must have shape {expected}, got {tuple(got)}.")


class TensorError(UnrolledError):
    """A tensor is of a type or on a device that an operator does not take."""

    def __init__(self, name: str, rule: str, value: object, remedy: str) -> None:
        super().__init__(f"{name} must be {rule}, got {value}. {remedy}")


class TextError(UnrolledError):
    """A text cannot be read or used: `<source> <problem>. <what to do next>`."""

    def __init__(self, source: object, problem: str, remedy: str) -> None:
        super().__init__(f"{source} {problem}. {remedy}")


class LabelError(UnrolledError, ValueError):
    """Labelled texts cannot be learned from: `<what> <problem>. <what to do next>`.

    A ValueError too, as scikit-learn expects of what is wrong with X or y.
    """

    def __init__(self, what: str, problem: str, remedy: str) -> None:
        super().__init__(f"{what} {problem}. {remedy}")


class CheckpointError(UnrolledError):
    """A run folder is missing, damaged or of another kind: `<path> <problem>. <next step>`."""

    def __init__(self, path: object, problem: str, remedy: str) -> None:
        super().__init__(f"{path} {problem}. {remedy}")


class MissingExtra(UnrolledError):
    """An optional dependency is needed."""

    def __init__(self, purpose: str, extra: str) -> None:
        super().__init__(f"{purpose} needs an extra: pip install 'unrolled[{extra}]'.")


class MissingPackage(UnrolledError, ImportError):
    """A package that no extra installs is needed."""

    def __init__(self, purpose: str, package: str) -> None:
        super().__init__(f"{purpose} needs {package}: pip install {package}")


class WorkerError(UnrolledError):
    """A training in a process of its own failed; the message is what it said."""


class OutOfMemory(UnrolledError):
    """What was asked for does not fit into memory."""

    def __init__(self) -> None:
        remedy = "Give less text at a time, a smaller model or smaller batches."
        super().__init__(f"This takes more memory than there is. {remedy}")


class TextWarning(UserWarning):
    """How a text is read where it does not say so itself: `<source> <note>. <what decides it>`."""

    def __init__(self, source: object, note: str, remedy: str) -> None:
        super().__init__(f"{source} {note}. {remedy}")
        self.source, self.note, self.remedy = source, note, remedy
