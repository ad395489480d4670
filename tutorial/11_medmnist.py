"""
11. MedMNIST: train on medical images, and choose what nobody can see
=====================================================================

Exercise 7 of the original: train and validate VoxelMorph on MedMNIST. Changing the data set is one line; what it takes
besides is the lesson. Medical pictures differ in brightness, are cut off at their border, and come without labels, so
that one must find another way to choose how smooth a deformation should be.
"""

# %%
# The data
# --------
#
# MedMNIST holds small medical pictures of 28 x 28 pixels, already divided into training, validation and test. Each
# set is one ``.npz`` file of plain arrays; ``allow_pickle=False`` makes sure that opening a file from the internet
# runs nothing in it. PneumoniaMNIST are chests of children. Without ``PULLBACK_DATA`` (with
# ``medmnist/pneumoniamnist.npz`` in it) pullback draws chests that vary in much the same way.

# sphinx_gallery_thumbnail_number = 4
import os
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch.nn import functional

import pullback as pb
from pullback.energy import Diffusion
from pullback.registration.judge import by_recipe

threads = torch.get_num_threads()
torch.set_num_threads(1)  # pictures of 32 x 32 are too small to be shared by several cores
PARTS = {"train": 700, "val": 200, "test": 100}

path = Path(os.environ.get("PULLBACK_DATA", "no folder"), "medmnist/pneumoniamnist.npz")
if path.is_file():
    with np.load(path, allow_pickle=False) as arrays:
        films = {part: arrays[f"{part}_images"][:count] / 255 for part, count in PARTS.items()}
    print("chests of PneumoniaMNIST, from PULLBACK_DATA")
else:
    drawn = pb.phantom.chest_films(sum(PARTS.values())).numpy()
    films = dict(zip(PARTS, np.split(drawn, np.cumsum(list(PARTS.values()))[:-1]), strict=True))
    print("chests drawn by pullback: PULLBACK_DATA names no folder with medmnist/pneumoniamnist.npz")
films = {part: torch.tensor(values, dtype=torch.float32)[:, None] for part, values in films.items()}

fig, axes = plt.subplots(2, 9, figsize=(9.5, 2.3))
for axis, film in zip(axes.flat, films["train"][:18], strict=True):
    axis.imshow(film[0].numpy(), vmin=0, vmax=1)
    axis.set_axis_off()
plt.show()

# %%
# Exercise
# --------
# Train a VoxelMorph on pairs of these chests as on the fives of :doc:`/tutorial/10_voxelmorph`, validate it, and
# judge it on test pairs. Before you train, decide three things, and say how you know that you decided well:
#
# 1. Some films are darker than others. What does a mean square error make of that?
# 2. The network wants 32 x 32. What do you put around the 28 x 28 pixels?
# 3. Which smoothness? There are no labels, and no pair has a right answer.
#
# .. dropdown:: Hint
#
#    (1) Compare each film with itself in another exposure. (2) What would a frame of zeros look like to the network?
#    (3) Make pairs whose answer you know: warp a validation film by a smooth field of your own.
#
# Solution
# --------
#
# **Brightness.** A film in another exposure shows the same chest; the transform is the identity. The mean square
# error between the two is not zero, though, and a network that makes it smaller will move something to do so. So each
# film is brought to the same range: its 2nd and 98th percentile become 0 and 1. (A similarity that does not mind
# brightness is the other way, see :doc:`/tutorial/06_ncc`.)


def normalised(film):
    low, high = (film.flatten(1).quantile(q, dim=1).view(-1, 1, 1, 1) for q in (0.02, 0.98))
    return ((film - low) / (high - low).clamp(min=0.05)).clamp(0, 1)


def mse(a, b):
    return float(((a - b) ** 2).mean())


film = films["val"]
darker = 0.6 * film + 0.1
raw_gap, gap = mse(film, darker), mse(normalised(film), normalised(darker))
print(f"a film and itself in another exposure: MSE {raw_gap:.4f}, normalised {gap:.1e}")
assert gap < 1e-3 < raw_gap

# %%
# **Border.** The body goes on beyond the film. A frame of zeros would be an edge, the strongest of all, at the same
# place in all films: it teaches the network that nothing moves there. The edge repeated is nearer to the truth.


def dataset(name, prepare, mode):
    parts = [
        pb.learn.Pairs(functional.pad(prepare(values), (2, 2, 2, 2), mode=mode), (1.0, 1.0))
        for values in films.values()
    ]
    return pb.learn.Dataset(name, *parts)


data = dataset("chests", normalised, "replicate")
as_they_come = dataset("chests as they come", lambda film: film, "constant")

fig, axes = plt.subplots(1, 4, figsize=(9.5, 2.6))
for axis, which, k, title in zip(
    axes,
    (as_they_come, as_they_come, data, data),
    (3, 0, 3, 0),
    ("as they come", "", "normalised, edge repeated", ""),
    strict=True,
):
    axis.imshow(which.train.images[k, 0].numpy(), vmin=0, vmax=1)
    axis.set_title(title)
    axis.set_axis_off()
plt.show()

# %%
# Does it matter? Two networks, alike but for this, judged on the same normalised test pairs. (The network predicts a
# velocity at half resolution, see the end of :doc:`/tutorial/10_voxelmorph`; ``flow_scale`` lets the first moves come
# sooner.)

base = pb.learn.training("voxelmorph-2d")
base = replace(
    base,
    network=replace(
        base.network, encoder=(16, 32, 32), decoder=(32, 32, 32, 16), integrate=5, half_resolution=True, flow_scale=10.0
    ),
    training=replace(base.training, epochs=100, batch=2, average=0.98, validate_every=100),
)


def train(weight, data, epochs=100):
    recipe = replace(
        base,
        loss=replace(base.loss, regulariser=Diffusion(), regulariser_weight=weight),
        training=replace(base.training, epochs=epochs),
    )
    return pb.learn.train(recipe, data).model


test_pairs = data.test.some(100)


def judged(way):
    return pb.learn.measure(way, data.test, test_pairs)


identity = judged(pb.learn.stay)
networks = {0.01: train(0.01, data)}
prepared, unprepared = (judged(pb.learn.by(model)) for model in (networks[0.01], train(0.01, as_they_come)))
print(f"MSE on test pairs: identity {identity['mse']:.4f}, trained on films as they come {unprepared['mse']:.4f}, "
      f"on normalised ones {prepared['mse']:.4f}")  # fmt: skip
assert prepared["mse"] < 0.6 * identity["mse"]
assert prepared["mse"] < unprepared["mse"]

# %%
# **Smoothness.** The loss is similarity + weight x roughness. Can the validation pairs tell the weight, by their mean
# square error? No: with less smoothness the network can do more to make pictures alike, and the error goes down and
# down. It would choose no smoothness at all.
#
# What we want to know is whether *points* go where they should. So we make pairs for which we know it: a validation
# film, warped by a smooth random field, and noise of its own on each of both. The field is the answer, ``Pairs``
# takes it as ``truth``, and ``measure`` then tells the mean **end-point error**. Such pairs are easier than two
# different chests, but they know what a network that follows noise and chance does not know.


def known_pairs(images, pixels=1.5, noise=0.05, seed=0):
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.randn(len(images), 2, 4, 4, generator=generator)
    truth = pixels * functional.interpolate(coarse, size=images.shape[2:], mode="bicubic", align_corners=False)
    both = torch.cat([pb.learn.warp(images, truth), images])
    both = both + noise * torch.randn(both.shape, generator=generator)
    index = tuple((k, len(images) + k) for k in range(len(images)))  # (fixed, moving)
    return pb.learn.Pairs(both, (1.0, 1.0), index=index, truth=truth)


known = known_pairs(data.validation.images[:100])
unlike = data.validation.some(100)
weights = (0.0, 0.01, 0.03, 0.1, 0.3)
networks |= {weight: train(weight, data) for weight in weights if weight not in networks}
validation_mse, error = [], []
for weight in weights:
    way = pb.learn.by(networks[weight])
    validation_mse.append(pb.learn.measure(way, data.validation, unlike)["mse"])
    error.append(pb.learn.measure(way, known, range(len(known)))["epe_mm"])
    print(f"weight {weight:5}: validation MSE {validation_mse[-1]:.4f}, known pairs off by {error[-1]:.2f} pixels")
still = pb.learn.measure(pb.learn.stay, known, range(len(known)))["epe_mm"]
best = weights[int(np.argmin(error))]

fig, axes = plt.subplots(1, 2, figsize=(9.5, 3))
places = np.arange(len(weights))
axes[0].plot(places, validation_mse, "o-")
axes[0].set(ylabel="mean square error", title="pairs of chests: the less, the better")
axes[1].plot(places, error, "o-", color="C1")
axes[1].axhline(still, color="k", ls=":", label="doing nothing")
axes[1].plot(weights.index(best), min(error), "o", ms=12, mfc="none", color="k", label="chosen")
axes[1].set(ylabel="end-point error in pixels", title="pairs with a known answer: a minimum")
axes[1].legend()
for axis in axes:
    axis.set(xticks=places, xticklabels=weights, xlabel="weight of the smoothness")
plt.show()

assert np.argmin(validation_mse) <= 1  # MSE would take (nearly) none
assert best >= 0.01  # the known answer asks for some
assert min(error) < 0.92 * error[0]
assert min(error) < 0.92 * still

# %%
# Without smoothness the network makes pictures alike and moves points hardly better than, or worse than, not moving
# them.
#
# **The result.** Train longer with the chosen weight, and set it on the test films beside doing nothing and beside a
# classical registration, which takes each pair by itself.

model = train(best, data, epochs=200)
table = {
    "identity": identity,
    f"network, weight {best:g}": judged(pb.learn.by(model)),
    "network, weight 0": judged(pb.learn.by(networks[0.0])),
    "classical, fast": pb.learn.measure(by_recipe(pb.recipes.fast(), data.test), data.test, test_pairs[:12]),
}
known_test = known_pairs(data.test.images, seed=1)
print(f"{'':24}{'MSE':>8}{'folded':>10}{'ms a pair':>11}")
for name, row in table.items():
    print(f"{name:24}{row['mse']:8.4f}{row['fold_percent']:8.2f} %{1000 * row['seconds']:11.1f}")
truly = pb.learn.measure(pb.learn.by(model), known_test, range(100))["epe_mm"]
still = pb.learn.measure(pb.learn.stay, known_test, range(100))["epe_mm"]
print(f"on test films with a known answer: {truly:.2f} pixels off; doing nothing: {still:.2f}")

final = table[f"network, weight {best:g}"]
assert final["mse"] < 0.7 * identity["mse"]
assert final["fold_percent"] < 0.1
assert truly < 0.95 * still

shown = data.test.batch(test_pairs[:3])
with torch.no_grad():
    found = model(shown.fixed, shown.moving).displacement
warped = pb.learn.warp(shown.moving, found)

fig, axes = plt.subplots(3, 5, figsize=(9.8, 6))
for k, row in enumerate(axes):
    pictures = (shown.moving[k, 0], warped[k, 0], shown.fixed[k, 0], shown.moving[k, 0])
    for axis, picture in zip(row, pictures, strict=False):
        axis.imshow(picture.numpy(), vmin=0, vmax=1)
    places = np.indices((32, 32)) + found[k].numpy()
    for j in range(0, 32, 2):
        row[3].plot(places[1, j], places[0, j], color="#e69f00", lw=0.7)
        row[3].plot(places[1, :, j], places[0, :, j], color="#e69f00", lw=0.7)
    row[3].set(xlim=(-0.5, 31.5), ylim=(31.5, -0.5))
    bar = row[4].imshow((warped - shown.fixed)[k, 0].numpy(), cmap="RdBu", vmin=-0.7, vmax=0.7)
for axis, title in zip(axes[0], ("moving", "warped", "fixed", "where it is read", "warped - fixed"), strict=True):
    axis.set_title(title)
for axis in axes.flat:
    axis.set_axis_off()
fig.colorbar(bar, ax=axes[:, 4], shrink=0.7)
plt.show()

# %%
# What the numbers mean
# ---------------------
#
# The lungs come to lie on the lungs, and what one chest has and the other has not - a rib more, fluid in a lung, a
# wire - stays as a difference. That is as it should be: two people have no true correspondence of every pixel, and a
# registration which removes every difference also removes the disease. A low error is no aim in itself; the classical
# recipe has a lower or higher one just as its own smoothness asks.
#
# The same with commands, for any of the MedMNIST sets, a class of it alone if wanted (``:1``), or the drawn chests;
# these take films as they come, so compare them by ``LNCC`` or ``NCC`` in ``mine.yaml`` (``similarity``):
#
# .. code-block:: console
#
#    $ pullback train --show diffeomorphic-2d > mine.yaml
#    $ pullback train --dataset medmnist:pneumoniamnist --recipe mine.yaml --out run/
#    $ pullback train --dataset phantom:chest --recipe mine.yaml --out run/
#    $ pullback evaluate-model run/ --dataset medmnist:pneumoniamnist --json
#
# What do you expect if ...
# -------------------------
#
# .. dropdown:: ... you choose the weight on the test films?
#
#    The result is a little too good, for you have chosen what happens to suit *these* films. Weights, epochs,
#    everything is chosen on validation films; test films are looked at once.
#
# .. dropdown:: ... a network that was trained on normalised films is given films as they come?
#
#    It sees another contrast than it learned, and moves things to no good. Whatever is done to the data in training
#    must be done in use; pullback writes voxel size and scaling into its recipes for that reason.

dim = pb.learn.Pairs(0.5 * data.test.images, (1.0, 1.0))
with torch.no_grad():
    batch, darker = data.test.batch(test_pairs), dim.batch(test_pairs)
    moves = model(darker.fixed, darker.moving).displacement
spoilt = mse(pb.learn.warp(batch.moving, moves), batch.fixed)
print(f"asked with films of half the contrast: {spoilt:.4f} instead of {final['mse']:.4f}")
assert spoilt > 1.05 * final["mse"]

# %%
# .. dropdown:: ... you swap in a MedMNIST set without common anatomy, such as skin or tissue?
#
#    The code runs, the loss falls, and it means nothing: a mole has no corresponding point in another mole.
#    Registration asks for things that are there in both images.
#
# .. dropdown:: ... the pictures have colour?
#
#    Three channels instead of one: ``Pairs`` takes (n, channels, rows, columns), and ``pb.learn.train`` builds the
#    network for as many channels as the data have.

colour = pb.learn.Pairs(data.train.images[:4].repeat(1, 3, 1, 1), (1.0, 1.0))
assert pb.learn.VoxelMorph(channels=3)(colour.images[:2], colour.images[2:]).displacement.shape == (2, 2, 32, 32)

torch.set_num_threads(threads)
