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
from pullback.learn.failures import sentences
from pullback.learn.journal import Journal
from pullback.learn.measure import Figures, by, measure, score, stay
from pullback.learn.networks import Network, PairNetwork
from pullback.learn.processes import Processes, joined
from pullback.learn.recipe import TrainingRecipe
from pullback.learn.state import State, with_weights
from pullback.learn.stepping import learning_rate, predicted
from pullback.learn.tensorboard_files import check_installed
from pullback.learn.weights import Card, save_weights
from pullback.space import Space
from pullback.typing import Tensor

VARIED = 1
"""Makes the seeds of the augmentation others than those of the pairs."""


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
    tensorboard: bool = False,
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
        tensorboard: write event files into out/tensorboard too; needs the package tensorboard.
        watch: called after each epoch, in the first process.

    Returns:
        The network with its best weights, and its card.

    Raises:
        InputError: the folder, the data or the recipe cannot be used.
        TrainingError: the loss is not finite any more, or the memory does not suffice.
    """
    folder = None if out is None else Path(out)
    if tensorboard:
        check_installed()
    network = _fitting(recipe.network, data)
    with joined(device) as processes, sentences(folder, recipe.training):
        if recipe.training.batch % processes.count:
            raise InputError(f"a batch of {recipe.training.batch} cannot be shared by {processes.count} processes; "
                             "make it a multiple")  # fmt: skip
        if folder is not None and processes.first:
            journal.prepared_folder(folder, resume)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.training.seed)
            model = network.build().to(processes.device)
        run = _Run(recipe, data, folder if processes.first else None, processes, notes or {}, tensorboard)
        return run.train(model, folder if resume else None, watch or (lambda progress: None))


@dataclass(frozen=True, eq=False)
class _Run:
    """One training in one process."""

    recipe: TrainingRecipe
    data: Dataset
    folder: Path | None
    processes: Processes
    notes: dict[str, Any]
    tensorboard: bool = False

    def train(self, model: PairNetwork, resumed: Path | None, watch: ProgressWatch) -> Trained:
        how = self.recipe.training
        state = State.start(laid_out(model), how)
        if resumed is not None:
            state.load(resumed / journal.CHECKPOINT)
        with self._told(state) as told:
            losses = self._epochs(state, told, watch)
        best = with_weights(state.model, state.best)
        card = self._card(best, self._test(best))
        if self.folder is not None:
            save_weights(best, card, self.folder / journal.WEIGHTS)
        return Trained(best, card, tuple(losses), state.numbers["epoch"] < how.epochs)

    @contextmanager
    def _told(self, state: State) -> Iterator[Journal | None]:
        """The journal of this run, in the process that writes."""
        told = None if self.folder is None else Journal(self.folder, state.numbers["epoch"], self.tensorboard)
        try:
            yield told
        finally:
            if told is not None:
                told.close()

    def _epochs(self, state: State, told: Journal | None, watch: ProgressWatch) -> list[float]:
        """Epoch after epoch, until the last or until patience is over; the mean loss of each."""
        how = self.recipe.training
        began, first, losses = time.perf_counter(), state.numbers["epoch"], list[float]()
        figures: Figures = {}
        while state.numbers["epoch"] < how.epochs and not self._patience_is_over(state):
            losses.append(self._epoch(state))
            state.numbers["epoch"] = done = state.numbers["epoch"] + 1
            due = done % how.validate_every == 0 or done == how.epochs
            figures = self._validate(state, told) if due else figures
            if told is not None:
                told.line(self._line(state, losses[-1], figures if due else None))
            if due and self.folder is not None:
                state.save(self.folder / journal.CHECKPOINT, self.notes)
            left = (time.perf_counter() - began) / (done - first) * (how.epochs - done)
            if self.processes.first:
                watch(Progress(done, how.epochs, losses[-1], left, figures))
        return losses

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
        how, scaler, whole = self.recipe.training, state.scaler, state.weights.whole
        prediction = predicted(state.model, batch, how.precision)
        terms = self.recipe.loss.terms(batch, prediction, self._space)
        loss = torch.stack(list(terms.values())).sum() if len(terms) > 1 else next(iter(terms.values()))
        assert whole.grad is not None
        whole.grad.zero_()
        (scaler.scale(loss) if scaler.is_enabled() else loss).backward()  # type: ignore[no-untyped-call]
        self.processes.average([whole.grad])
        if how.clip is not None:
            scaler.unscale_(state.optimiser)
            torch.nn.utils.clip_grad_norm_([whole], how.clip)
        state.step(rate)
        state.follow(how.average)
        return loss.detach()

    @property
    def _space(self) -> Space:
        return self.data.train.space

    def _validate(self, state: State, told: Journal | None) -> Figures:
        """Look at unseen pairs; keep the weights if they are the best so far."""
        figures: Figures = {}
        value = 0.0
        if self.processes.first:
            pairs, how = self.data.validation, self.recipe.training
            way, chosen = by(with_weights(state.model, state.kept)), pairs.some(how.validation_pairs)
            figures = measure(way, pairs, chosen)
            value = score(figures)[1]
            if told is not None and how.pictures:
                told.draw(state.numbers["epoch"], pairs.batch(chosen[: how.pictures]), way)
        better = state.judged(self.processes.told(value))
        if better and self.folder is not None:
            model = with_weights(state.model, state.best)
            save_weights(model, self._card(model, {"validation": figures}), self.folder / journal.WEIGHTS)
        return figures

    def _patience_is_over(self, state: State) -> bool:
        patience = self.recipe.training.patience
        return patience is not None and bool(state.numbers["waited"] >= patience)

    def _line(self, state: State, loss: float, figures: Figures | None) -> dict[str, Any]:
        """What log.jsonl says about an epoch."""
        how, epoch = self.recipe.training, state.numbers["epoch"]
        line: dict[str, Any] = {"epoch": epoch, "step": epoch * how.steps, "loss": loss}
        line["learning_rate"] = learning_rate(how, epoch * how.steps - 1)
        return line if figures is None else line | {"validation": figures, "judged_by": score(figures)[0]}

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


def laid_out(model: PairNetwork) -> PairNetwork:
    """Channels last suits the convolutions; measured on CPUs."""
    form = torch.channels_last if model.dimension == 2 else torch.channels_last_3d
    return model.to(memory_format=form)  # type: ignore[call-overload, no-any-return]


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
