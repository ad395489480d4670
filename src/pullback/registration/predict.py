"""Predict: a stage whose answer comes from a trained network, and which does not believe it blindly."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from pullback.energy import NCC, Energy, NormalisedGradient, Pair, Similarity
from pullback.energy.energy import shared
from pullback.errors import ModelError, PullbackWarning
from pullback.evaluate.deformation import jacobian_map
from pullback.optimise import Status
from pullback.registration.outcome import Outcome, Step, Watch, ignore
from pullback.registration.prepare import Prepared
from pullback.registration.stage import LEAST_OVERLAP, Stage
from pullback.transforms import Transform

if TYPE_CHECKING:  # what networks need is imported when one is used: most registrations use none
    import pullback.learn

LEAST_LEFT = 0.25
"""Voxels; what is less is not worth a doubt."""
IN_MEMORY = {"in_memory": True}
"""Marks a field that a recipe file does not hold."""


@dataclass(frozen=True)
class Predict(Stage):
    """Ask a network; where its answer is not to be trusted, say so and register by other stages instead.

    A network knows what it has seen. On other images its answer may be anything, or half of what is right, so several
    things are looked at: whether the images become more alike, by two measures; whether the deformation folds; whether
    the network takes back what it said when the images are exchanged; and whether it finds little left to do when it is
    asked again about the images that it has aligned.

    Attributes:
        weights: the .safetensors file of the network, or the name of a shipped one (heart-2d, cine-2d); empty where it
            was held in memory.
        sha256: of that file, compared before it is used; empty compares nothing.
        similarity: by what the images must become more alike.
        other_similarity: another measure, by which they must become more alike as well: edges and not brightness, so
            that a network cannot please both by smearing one of the images.
        least_gain: they must become more alike by this part of each loss: noise becomes so by less.
        most_folding_percent: no more than this part of the voxels may fold.
        most_inverse_error: there and back may miss by this part of the mean motion, or by a voxel if that is more.
        most_left: asked again, the network may still move things by this part of the mean motion, or by a quarter of a
            voxel if that is more.
        fallback: what to run instead where the answer is not trusted; null ends the registration as diverged.
        network: the network itself, a `pullback.learn.PairNetwork`, in place of a file.
        spacing_mm: voxel size that such a network knows; null takes the fixed image's.
    """

    weights: str = ""
    sha256: str = ""
    similarity: Similarity = field(default_factory=NCC)
    other_similarity: Similarity = field(default_factory=NormalisedGradient)
    least_gain: float = 0.01
    most_folding_percent: float = 0.5
    most_inverse_error: float = 0.35
    most_left: float = 0.7
    fallback: tuple[Stage, ...] | None = None
    network: nn.Module | None = field(default=None, metadata=IN_MEMORY)
    spacing_mm: tuple[float, ...] | None = field(default=None, metadata=IN_MEMORY)

    @property
    def name(self) -> str:
        """See `Stage`."""
        return "learned"

    @property
    def work(self) -> float:
        """See `Stage`."""
        return 2.0

    def run(self, fixed: Prepared, moving: Prepared, initial: Transform, watch: Watch = ignore) -> Outcome:
        """See `Stage`."""
        from pullback.learn import predict

        pair = Pair(fixed.data, moving.data, fixed.space, moving.space, fixed.weight, moving.weight)
        if shared(pair, initial) < LEAST_OVERLAP:
            return Outcome(self.name, initial, Status.no_overlap)
        model, spacing_mm = self.loaded()
        answer = predict(model, fixed.data, fixed.space, moving.data, moving.space, initial, spacing_mm)
        transform = initial @ answer.transform
        gains = [self._gain(each, pair, initial, transform) for each in (self.similarity, self.other_similarity)]
        watch(Step(self.name, 1, 1, 1, 1, gains[0][1], 1.0))
        doubts = list(self._doubts(answer, gains))
        if not doubts:
            note = f"the network moves {answer.motion:.2f} voxels on average; there and back misses by "
            note += f"{answer.inverse_error:.2f}"
            return Outcome(self.name, transform, Status.converged, notes=(note,))
        return self._instead(doubts, fixed, moving, initial, watch)

    def loaded(self) -> tuple[pullback.learn.PairNetwork, tuple[float, ...] | None]:
        """The network, and the voxel size that it knows.

        Raises:
            ModelError: there is none, it does not register pairs, or its file cannot be used.
        """
        from pullback.learn import PairNetwork
        from pullback.learn.weights import digest, load_weights, weights_file

        if self.network is not None:
            if not isinstance(self.network, PairNetwork):
                raise ModelError(f"a {type(self.network).__name__} does not register pairs of images; give a "
                                 "pb.learn.PairNetwork, such as pb.learn.VoxelMorph")  # fmt: skip
            return self.network, self.spacing_mm
        if not self.weights:
            raise ModelError("this recipe was run with a network held in memory; write it with pb.learn.save_weights "
                             "and name the file under weights")  # fmt: skip
        path = weights_file(self.weights)
        if self.sha256 and path.is_file() and digest(path) != self.sha256:
            raise ModelError(f"{self.weights} is not the file that this recipe was made with: its SHA-256 differs; "
                             "leave sha256 empty to take it all the same")  # fmt: skip
        model, card = load_weights(self.weights)
        return model, card.spacing_mm

    @torch.no_grad()
    def _gain(self, similarity: Similarity, pair: Pair, initial: Transform, final: Transform) -> tuple[float, float]:
        """The loss before and after."""
        energy = Energy(similarity)
        return float(energy.loss(pair, initial)), float(energy.loss(pair, final))

    def _doubts(self, answer: pullback.learn.Answer, gains: list[tuple[float, float]]) -> Iterator[str]:
        for (before, after), what in zip(gains, ("images", "edges in the images"), strict=True):
            if not after < before * (1 - self.least_gain):
                yield f"the {what} did not become more alike ({before:.4g} -> {after:.4g})"
        field = answer.displacement
        folds = 100 * float((jacobian_map(field.field, field.space) <= 0).to(torch.float32).mean())
        if folds > self.most_folding_percent:
            yield f"{folds:.2g} % of the voxels fold"
        if not answer.inverse_error <= max(1.0, self.most_inverse_error * answer.motion):
            yield f"there and back misses by {answer.inverse_error:.2f} voxels of {answer.motion:.2f}"
        if not answer.left <= max(LEAST_LEFT, self.most_left * answer.motion):
            yield f"asked again it moves another {answer.left:.2f} voxels after {answer.motion:.2f}"

    def _instead(
        self, doubts: list[str], fixed: Prepared, moving: Prepared, initial: Transform, watch: Watch
    ) -> Outcome:
        """The fallback's outcome, which says why it ran."""
        why = f"the network's answer is not trusted: {'; '.join(doubts)}"
        if self.fallback is None:
            return Outcome(self.name, initial, Status.diverged, notes=(why,))
        names = ", ".join(stage.name for stage in self.fallback)
        note = f"{why}; registered without it instead ({names})"
        warnings.warn(note, PullbackWarning, stacklevel=2)
        outcome = Outcome(self.name, initial, Status.converged)
        for stage in self.fallback:
            found = stage.run(fixed, moving, outcome.transform, watch)
            history, notes = (*outcome.history, *found.history), (*outcome.notes, *found.notes)
            outcome = replace(found, stage=self.name, history=history, notes=notes)
            if not found.status.ok:
                break
        return replace(outcome, notes=(note, *outcome.notes))


def predict_by(model: pullback.learn.PairNetwork | str | Path, card: pullback.learn.Card | None = None) -> Predict:
    """A stage of a network, or of its file, without a fallback.

    Raises:
        ModelError: the file cannot be used.
    """
    from pullback.learn import PairNetwork
    from pullback.learn.weights import SHIPPED, digest, load_weights, weights_file

    if isinstance(model, PairNetwork):
        return Predict(network=model, spacing_mm=None if card is None else card.spacing_mm)
    path = weights_file(model)
    load_weights(path)  # what cannot be used is told now, not after the other stages
    return Predict(weights=str(model if str(model) in SHIPPED else path.absolute()), sha256=digest(path))
