"""Dataset: pairs to learn from, pairs to stop by, pairs to be judged by; no subject is in two of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pullback.errors import InputError
from pullback.learn.data.pairs import Pairs, mixed


@dataclass(frozen=True, eq=False)
class Dataset:
    """What a training needs.

    Attributes:
        name: what it is, for the card of the weights.
        train: pairs to learn from.
        validation: pairs that decide which of the weights are kept, and when to stop.
        test: pairs for nothing but the last judgement.
        licence: of the data, as far as it is known.
    """

    name: str
    train: Pairs
    validation: Pairs
    test: Pairs
    licence: str = "unknown"


def split(subjects: Sequence[str], validation: float, test: float, seed: int) -> dict[str, str]:
    """{subject: "train", "validation" or "test"}: every subject in one, the same for the same seed and names.

    Args:
        subjects: their names; repeated ones count once.
        validation: share of the subjects, at least one.
        test: likewise.
        seed: another seed is another split.

    Raises:
        InputError: there are too few for three parts, or the shares leave nothing to train on.

    Example:
        >>> sorted(split(["a", "b", "c", "d"], 0.25, 0.25, seed=0).values())
        ['test', 'train', 'train', 'validation']
    """
    names = sorted(set(subjects), key=lambda name: (mixed(seed, *name.encode()), name))
    counts = [max(1, round(share * len(names))) for share in (test, validation)]
    if not (0 <= validation < 1 and 0 <= test < 1) or sum(counts) >= len(names):
        raise InputError(f"{len(names)} subject(s) cannot be split into training, validation ({validation:g}) and test "
                         f"({test:g}); give more, or a column `split`")  # fmt: skip
    parts = ["test"] * counts[0] + ["validation"] * counts[1]
    return dict(zip(names, parts + ["train"] * (len(names) - len(parts)), strict=True))
