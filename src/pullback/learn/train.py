"""train: the loop in which a network learns.

An epoch is so many steps; a step draws pairs, predicts, warps the moving images by the kernels of `ops`, and moves the
weights a little. Now and then unseen pairs are looked at: by their accuracy where labels or the answer are known (by
the likeness of the images where not), the best weights are kept and the training may stop early.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import torch

from pullback.errors import InputError, ModelError, TrainingError
from pullback.learn import journal
from pullback.learn.data import Dataset, PairBatch, mixed
from pullback.learn.measure import Figures, by, measure, score, stay
from pullback.learn.networks import Network, PairNetwork, Prediction
from pullback.learn.processes import Processes, joined
from pullback.learn.recipe import Training, TrainingRecipe
from pullback.learn.state import State, with_weights
from pullback.learn.weights import Card, save_weights
from pullback.space import Space
from pullback.typing import Tensor

VARIED = 1
"""Makes the seeds of the augmentation others than those of the pairs."""
TYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True)
class Progress:
    """A sign of life after each epoch.

    Attributes:
        epoch: how many are done.
        epochs: the most of them.
        loss: mean over the steps of this epoch.
        seconds_left: were every epoch to be run.
        validation: figures of the last validation, {} before the first.
    """

    epoch: int
    epochs: int
    loss: float
    seconds_left: float
    validation: Figures


@dataclass(frozen=True, eq=False)
class Trained:
    """What a training came to.

    Attributes:
        model: the network with its best weights.
        card: what it is, with its figures on the test part.
        losses: mean loss of each epoch of this run.
        stopped_early: whether patience ended it.
    """

    model: PairNetwork
    card: Card
    losses: tuple[float, ...]
    stopped_early: bool


ProgressWatch: TypeAlias = Callable[[Progress], None]


def train(
    recipe: TrainingRecipe,
    data: Dataset,
    out: str | Path | None = None,
    *,
    resume: bool = False,
    device: str = "cpu",
    notes: dict[str, Any] | None = None,
    watch: ProgressWatch | None = None,
) -> Trained:
    """Train a network.

    Args:
        recipe: what to do; its network takes the channels and the dimension of the data.
        data: what to learn from.
        out: folder for checkpoint, weights, log and pictures; nothing is written without.
        resume: go on from the checkpoint in that folder.
        device: cpu or cuda. Under torchrun every process takes its share of each batch.
        notes: plain values for the card and the checkpoint: where recipe and data came from.
        watch: called after each epoch, in the first process.

    Returns:
        The network with its best weights, and its card.

    Raises:
        InputError: the folder, the data or the recipe cannot be used.
        TrainingError: the loss is not finite any more, or the memory does not suffice.
    """
    folder = None if out is None else Path(out)
    network = _fitting(recipe.network, data)
    with joined(device) as processes, _sentences(folder, recipe.training):
        if recipe.training.batch % processes.count:
            raise InputError(f"a batch of {recipe.training.batch} cannot be shared by {processes.count} processes; "
                             "make it a multiple")  # fmt: skip
        if folder is not None and processes.first:
            journal.prepared_folder(folder, resume)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.training.seed)
            model = network.build().to(processes.device)
        run = _Run(recipe, data, folder if processes.first else None, processes, notes or {})
        return run.train(model, folder if resume else None, watch or (lambda progress: None))


@dataclass(frozen=True, eq=False)
class _Run:
    """One training in one process."""

    recipe: TrainingRecipe
    data: Dataset
    folder: Path | None
    processes: Processes
    notes: dict[str, Any]

    def train(self, model: PairNetwork, resumed: Path | None, watch: ProgressWatch) -> Trained:
        how = self.recipe.training
        state = State.start(_laid_out(model), how)
        if resumed is not None:
            state.load(resumed / journal.CHECKPOINT)
        if self.folder is not None:
            journal.cut_log(self.folder, state.numbers["epoch"])
        began, first, losses = time.perf_counter(), state.numbers["epoch"], list[float]()
        figures: Figures = {}
        while state.numbers["epoch"] < how.epochs and not self._patience_is_over(state):
            losses.append(self._epoch(state))
            state.numbers["epoch"] = done = state.numbers["epoch"] + 1
            due = done % how.validate_every == 0 or done == how.epochs
            figures = self._validate(state) if due else figures
            self._log(state, losses[-1], figures if due else None)
            if due and self.folder is not None:
                state.save(self.folder / journal.CHECKPOINT, self.notes)
            left = (time.perf_counter() - began) / (done - first) * (how.epochs - done)
            if self.processes.first:
                watch(Progress(done, how.epochs, losses[-1], left, figures))
        best = with_weights(state.model, state.best)
        card = self._card(best, self._test(best))
        if self.folder is not None:
            save_weights(best, card, self.folder / journal.WEIGHTS)
        return Trained(best, card, tuple(losses), state.numbers["epoch"] < how.epochs)

    def _epoch(self, state: State) -> float:
        """Take the steps of one epoch; their mean loss."""
        how, total = self.recipe.training, torch.zeros((), device=self.processes.device)
        state.model.train()
        for step in range(state.numbers["epoch"] * how.steps, (state.numbers["epoch"] + 1) * how.steps):
            numbers = self.processes.share(range(step * how.batch, (step + 1) * how.batch))
            batch = self.data.train.batch(self.data.train.drawn(how.seed, numbers))
            if self.recipe.augmentation is not None:
                seeds = [mixed(how.seed, VARIED, number) for number in numbers]
                batch = self.recipe.augmentation.apply(batch, seeds, self.data.train.spacing_mm)
            total += self._step(state, batch.to(self.processes.device), learning_rate(how, step))
        self.processes.average([total])
        mean = float(total) / how.steps
        if not math.isfinite(mean):
            raise TrainingError(
                f"the loss became {mean} in epoch {state.numbers['epoch'] + 1}; try a smaller learning rate (it was "
                f"{how.learning_rate:g}), clip: 1.0, or float32, and look for bad images"
            )
        return mean

    def _step(self, state: State, batch: PairBatch, rate: float) -> Tensor:
        how, model, adam, scaler = self.recipe.training, state.model, state.optimiser, state.scaler
        prediction = predicted(model, batch, how.precision)
        terms = self.recipe.loss.terms(batch, prediction, self._space)
        loss = torch.stack(list(terms.values())).sum() if len(terms) > 1 else next(iter(terms.values()))
        adam.zero_grad(set_to_none=True)
        (scaler.scale(loss) if scaler.is_enabled() else loss).backward()  # type: ignore[no-untyped-call]
        self.processes.average(p.grad for p in model.parameters())
        adam.param_groups[0]["lr"] = rate
        if how.clip is not None:
            scaler.unscale_(adam)
            torch.nn.utils.clip_grad_norm_(model.parameters(), how.clip)
        if scaler.is_enabled():
            scaler.step(adam)
            scaler.update()
        else:
            adam.step()
        state.follow(how.average)
        return loss.detach()

    @property
    def _space(self) -> Space:
        return self.data.train.space

    def _validate(self, state: State) -> Figures:
        """Look at unseen pairs; keep the weights if they are the best so far."""
        figures: Figures = {}
        value = 0.0
        if self.processes.first:
            pairs, how = self.data.validation, self.recipe.training
            way, chosen = by(with_weights(state.model, state.kept)), pairs.some(how.validation_pairs)
            figures = measure(way, pairs, chosen)
            value = score(figures)[1]
            if self.folder is not None and how.pictures:
                shown = pairs.batch(chosen[: how.pictures])
                journal.draw(self.folder, state.numbers["epoch"], shown, way)
        better = state.judged(self.processes.told(value))
        if better and self.folder is not None:
            model = with_weights(state.model, state.best)
            save_weights(model, self._card(model, {"validation": figures}), self.folder / journal.WEIGHTS)
        return figures

    def _patience_is_over(self, state: State) -> bool:
        patience = self.recipe.training.patience
        return patience is not None and bool(state.numbers["waited"] >= patience)

    def _log(self, state: State, loss: float, figures: Figures | None) -> None:
        if self.folder is None:
            return
        how, epoch = self.recipe.training, state.numbers["epoch"]
        line: dict[str, Any] = {"epoch": epoch, "step": epoch * how.steps, "loss": loss}
        line["learning_rate"] = learning_rate(how, epoch * how.steps - 1)
        if figures is not None:
            line |= {"validation": figures, "judged_by": score(figures)[0]}
        journal.add_line(self.folder, line)

    def _test(self, model: PairNetwork) -> dict[str, Figures]:
        """Figures on the test part, of the network and of doing nothing."""
        if not self.processes.first:
            return {}
        pairs = self.data.test
        chosen = pairs.some(self.recipe.training.validation_pairs)
        return {"identity": measure(stay, pairs, chosen), "model": measure(by(model), pairs, chosen)}

    def _card(self, model: PairNetwork, metrics: dict[str, Figures]) -> Card:
        train = self.data.train
        return Card(
            Network.of(model), train.spacing_mm, train.shape, self.data.name, self.data.licence, metrics, self.notes
        )


def predicted(model: PairNetwork, batch: PairBatch, precision: str = "float32") -> Prediction:
    """What the network says, its arithmetic in another precision if wanted; the displacements in float32 always."""
    if precision == "float32":
        return model(batch.fixed, batch.moving)  # type: ignore[no-any-return]
    with torch.autocast(batch.fixed.device.type, TYPES[precision]):
        said = model(batch.fixed, batch.moving)
    inverse = None if said.inverse is None else said.inverse.float()
    return Prediction(said.displacement.float(), said.vectors.float(), inverse)


def learning_rate(how: Training, step: int) -> float:
    """Of a step, from 0: a warm-up along a line, then constant or down half a cosine."""
    rate = how.learning_rate * min(1.0, (step + 1) / max(how.warm_up, 1))
    if how.decay == "cosine":
        rate *= 0.5 * (1 + math.cos(math.pi * step / (how.epochs * how.steps)))
    return rate


def _laid_out(model: PairNetwork) -> PairNetwork:
    """Channels last suits the convolutions of small 2D batches; measured on CPUs."""
    if model.dimension == 2:
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return model


def _fitting(network: Network, data: Dataset) -> Network:
    """The network with the channels of the data.

    Raises:
        ModelError: it is for other dimensions.
    """
    pairs = data.train
    if network.dimension != pairs.dimension:
        raise ModelError(f"the recipe's network is {network.dimension}D and the data {data.name} are "
                         f"{pairs.dimension}D; choose another recipe")  # fmt: skip
    return Network(**{**vars(network), "channels": pairs.channels})


@contextmanager
def _sentences(folder: Path | None, how: Training) -> Iterator[None]:
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
