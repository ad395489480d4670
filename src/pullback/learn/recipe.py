"""Training and TrainingRecipe: everything that a training will do, as one value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

from pullback.energy import LNCC, MSE, Diffusion
from pullback.errors import RecipeError
from pullback.learn.data.augment import Augmentation
from pullback.learn.loss import Loss
from pullback.learn.networks import Network

Precision = Literal["float32", "bfloat16", "float16"]


@dataclass(frozen=True)
class Training:
    """How a network learns.

    Attributes:
        epochs: the most of them.
        steps: of an epoch.
        batch: pairs of a step, over all processes together.
        learning_rate: of Adam, at the start (after the warm-up).
        decay: constant, or cosine: down to nothing at the last step, along half a cosine.
        warm_up: steps over which the learning rate rises from nothing.
        clip: the longest gradient, over all weights; longer ones are shortened to it. Null for none.
        average: share of the running average of the weights that a step keeps (0.99 or so); the average is what is
            validated and kept. Null keeps the last weights.
        precision: of the network's arithmetic; loss and weights stay in float32.
        validate_every: epochs between two validations.
        validation_pairs: how many pairs of the validation part are looked at, at most.
        patience: validations without a new best after which to stop. Null never stops early.
        pictures: how many validation pairs to draw at each validation.
        seed: of the first weights, of the pairs and of the augmentation.
    """

    epochs: int = 200
    steps: int = 5
    batch: int = 1
    learning_rate: float = 1e-3
    decay: Literal["constant", "cosine"] = "constant"
    warm_up: int = 0
    clip: float | None = None
    average: float | None = None
    precision: Precision = "float32"
    validate_every: int = 10
    validation_pairs: int = 50
    patience: int | None = None
    pictures: int = 3
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "steps", "batch", "validate_every", "validation_pairs", "patience"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise RecipeError(f"{name} of a training must be at least 1; got {value}")
        if not 0 < self.learning_rate <= 10:
            raise RecipeError(f"the learning rate must be above 0 and at most 10; got {self.learning_rate}")
        if self.clip is not None and not self.clip > 0:
            raise RecipeError(f"clip must be above 0, or null; got {self.clip}")
        if self.average is not None and not 0 <= self.average < 1:
            raise RecipeError(f"average must be at least 0 and below 1, or null; got {self.average}")
        if min(self.warm_up, self.pictures, self.seed) < 0:
            raise RecipeError("warm_up, pictures and seed must not be negative")


@dataclass(frozen=True)
class TrainingRecipe:
    """What `train` does.

    Attributes:
        name: what it is called.
        description: what it is for, in a sentence.
        network: what learns.
        loss: what is made small.
        training: how.
        augmentation: how pairs are varied before the network sees them; null leaves them as they are.
    """

    name: str
    description: str
    network: Network = field(default_factory=Network)
    loss: Loss = field(default_factory=Loss)
    training: Training = field(default_factory=Training)
    augmentation: Augmentation | None = None


def voxelmorph_2d() -> TrainingRecipe:
    """VoxelMorph as the tutorials train it on digits."""
    return TrainingRecipe(
        "voxelmorph-2d",
        "VoxelMorph as its tutorials train it on handwritten digits: no smoothing, 200 epochs of 5 pairs.",
    )


def swift_2d() -> TrainingRecipe:
    """Less work where resolution is full, a last layer that moves sooner, and the average of the weights."""
    return TrainingRecipe(
        "swift-2d",
        "A lighter VoxelMorph for the same short training: as good on digits in less than half the time.",
        Network(encoder=(8, 16, 32), decoder=(32, 32, 16, 16), flow_scale=10.0),
        training=Training(average=0.98),  # single pairs pull here and there: the average is nearer to the goal
    )


def diffeomorphic_2d() -> TrainingRecipe:
    """A velocity at half resolution, both ways, and smoothness: for images of one contrast."""
    return TrainingRecipe(
        "diffeomorphic-2d",
        "A velocity that is integrated, both ways, with smoothness: it hardly folds. For 2D images of one contrast.",
        Network(encoder=(16, 32, 32, 32), decoder=(32, 32, 32, 32, 16), integrate=7, half_resolution=True,
                bidirectional=True, flow_scale=10.0),
        Loss(MSE(), Diffusion(), 0.01),
        Training(epochs=100, steps=20, batch=4, decay="cosine", warm_up=50, clip=1.0, average=0.99, patience=5),
    )  # fmt: skip


def diffeomorphic_3d() -> TrainingRecipe:
    """The same for volumes, by local correlation."""
    return TrainingRecipe(
        "diffeomorphic-3d",
        "The same for volumes, compared by local correlation: shading and gain do not matter.",
        Network(dimension=3, encoder=(16, 32, 32, 32), decoder=(32, 32, 32, 32, 16, 16), integrate=7,
                half_resolution=True, bidirectional=True, flow_scale=10.0),
        Loss(LNCC(), Diffusion(), 1.0),
        Training(epochs=100, steps=50, decay="cosine", warm_up=50, clip=1.0, average=0.99, patience=5),
    )  # fmt: skip


def pyramid_2d() -> TrainingRecipe:
    """Coarse to fine, for images of any contrast whose displacement is known."""
    return TrainingRecipe(
        "pyramid-2d",
        "Coarse to fine, for drawn pairs of any contrast whose displacement is known: phantom:hearts.",
        PYRAMID,
        SUPERVISED,
        Training(epochs=100, steps=20, batch=8, decay="cosine", warm_up=50, clip=1.0, average=0.99, patience=5),
    )


def pyramid_3d() -> TrainingRecipe:
    """The same for volumes, by local correlation, without known displacements."""
    return TrainingRecipe(
        "pyramid-3d",
        "Coarse to fine, with an affine map first, for volumes: compared by local correlation, nothing need be known.",
        replace(PYRAMID, dimension=3, encoder=(8, 16, 32, 32, 32), decoder=(32, 32), affine=True),
        Loss(LNCC(), Diffusion(), 1.0),
        Training(epochs=100, steps=50, decay="cosine", warm_up=50, clip=1.0, average=0.99, patience=5),
    )


def affine_2d() -> TrainingRecipe:
    """Alignment alone."""
    return TrainingRecipe(
        "affine-2d",
        "An affine map and nothing else, for drawn pairs of any contrast whose displacement is known.",
        AFFINE,
        replace(SUPERVISED, regulariser=None, regulariser_weight=0.0),
        Training(epochs=100, steps=20, batch=8, decay="cosine", warm_up=50, clip=1.0, average=0.99, patience=5),
    )


def affine_3d() -> TrainingRecipe:
    """Alignment of volumes, by local correlation."""
    return TrainingRecipe(
        "affine-3d",
        "An affine map and nothing else, for volumes: compared by local correlation, nothing need be known.",
        replace(AFFINE, dimension=3, encoder=(8, 16, 32, 32, 32), decoder=(32, 32)),
        Loss(LNCC()),
        Training(epochs=100, steps=50, decay="cosine", warm_up=50, clip=1.0, average=0.99, patience=5),
    )


PYRAMID = Network("Pyramid", encoder=(16, 32, 32, 48, 64), decoder=(48, 32), integrate=4, half_resolution=True,
                  flow_scale=5.0, correlation=1)  # fmt: skip
AFFINE = Network("AffineNetwork", encoder=(16, 32, 32, 48, 64), decoder=(48, 32), flow_scale=5.0, correlation=1)
SUPERVISED = Loss(MSE(), Diffusion(), 0.02, label_weight=1.0, similarity_weight=0.0, truth_weight=0.2)

TRAININGS: dict[str, Callable[[], TrainingRecipe]] = {
    "voxelmorph-2d": voxelmorph_2d,
    "swift-2d": swift_2d,
    "diffeomorphic-2d": diffeomorphic_2d,
    "diffeomorphic-3d": diffeomorphic_3d,
    "pyramid-2d": pyramid_2d,
    "pyramid-3d": pyramid_3d,
    "affine-2d": affine_2d,
    "affine-3d": affine_3d,
}


def training(name: str) -> TrainingRecipe:
    """The recipe of a name.

    Raises:
        RecipeError: there is no such recipe.
    """
    if name not in TRAININGS:
        raise RecipeError(f"there is no training {name!r}; choose one of {', '.join(TRAININGS)}, or give a .yaml file")
    return TRAININGS[name]()
