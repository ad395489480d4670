"""What pullback raises: bad *input* is an exception; a registration that fails is a `Status`, never an exception.

Every message says what is wrong, what was got, and what to do.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager


class PullbackError(Exception):
    """The root of every exception that pullback raises on purpose."""


class InputError(PullbackError, ValueError):
    """Something handed to pullback cannot be used as it is."""


class SpaceError(InputError):
    """A grid or its voxel-to-world matrix is unusable, or two of them do not fit together."""


class RecipeError(InputError):
    """A recipe names something that does not exist, or gives it a value that it cannot take."""


class FileFormatError(InputError):
    """A file is missing, damaged, dangerous, or of a kind that pullback does not read."""


class ModelError(InputError):
    """A network cannot be built, its weights cannot be used, or it does not suit the images."""


class TrainingError(PullbackError):
    """A training cannot go on; the last checkpoint is still there."""


class KernelError(PullbackError, RuntimeError):
    """A kernel was asked for that this machine does not have."""


class PullbackWarning(UserWarning):
    """pullback made a choice for you that you should know about."""


@contextmanager
def noted() -> Iterator[list[str]]:
    """Inside the `with`, a list fills with the texts of pullback's warnings; they are shown all the same."""
    texts: list[str] = []
    show = warnings.showwarning

    def note(message: Warning | str, category: type[Warning], *place: object, **more: object) -> None:
        if issubclass(category, PullbackWarning):
            texts.append(str(message))
        show(message, category, *place, **more)  # type: ignore[arg-type]

    warnings.showwarning = note
    try:
        yield texts
    finally:
        warnings.showwarning = show
