"""failures: what ends a training, said in a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from pullback.errors import TrainingError
from pullback.learn import journal
from pullback.learn.recipe import Training


@contextmanager
def sentences(folder: Path | None, how: Training) -> Iterator[None]:
    """Running out of memory becomes a sentence; every failure says where the last checkpoint is."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise TrainingError(_memory(how)) from error
    except RuntimeError as error:
        if isinstance(error, TrainingError) or "memory" not in str(error).lower():
            raise
        raise TrainingError(_memory(how)) from error
    except TrainingError as error:
        if folder is not None and (folder / journal.CHECKPOINT).is_file():
            raise TrainingError(f"{error}; the last checkpoint is in {folder}") from error
        raise


def _memory(how: Training) -> str:
    return (f"the memory does not suffice for a batch of {how.batch}; take a smaller batch, a coarser grid, fewer "
            "features, or half_resolution: true")  # fmt: skip
