"""
4. Registration as optimisation
===============================

Now the computer shall find the transform. You write the mean squared error and an affine registration in thirty lines
of torch, watch gradient descent, Adam and L-BFGS walk over the landscape of the loss, learn from how far away they
still arrive and how a pyramid carries them further, and then do all of it with one line of pullback, and with a recipe
of your own to below a tenth of a pixel.
"""

# %%
# Three choices
# -------------
#
# Every registration of this kind is a choice of three things:
#
# 1. a **transformation**: which maps are allowed. Here affine, six numbers.
# 2. a **cost**: how unlike are the fixed image and the warped one? Here the mean squared error.
# 3. an **optimiser**: how are the numbers changed so that the cost falls?
#
# A pair with a known answer
# --------------------------
#
# To know whether a registration is *right* we must know the truth, so we make it. The scanner of
# :doc:`/tutorial/01_heart_phantom` draws the heart twice: as it is, and seen through an affine map, with 5 x 5 points
# to each pixel, which gives it soft borders. Neither image is resampled from the other.

# sphinx_gallery_thumbnail_number = 5
import time
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import torch
from scipy import ndimage
from torch.nn.functional import affine_grid, grid_sample, mse_loss

import pullback as pb

plt.rcParams.update({"image.cmap": "gray", "figure.constrained_layout.use": True})

threads = torch.get_num_threads()
torch.set_num_threads(1)  # the images are small: more threads would only wait for each other
space = pb.phantom.short_axis().space
rows, columns = space.shape


def is_muscle(points):
    """The heart as a formula: 1 where a world point in mm lies in its muscle."""
    left, down = -(points[..., 0] + 32), -(points[..., 1] + 20)
    radius = torch.hypot(left, down)
    lv = (radius <= 12) & (radius > 6)
    rv = (torch.hypot(down / 12, left / 20) <= 1) & (torch.hypot(down / 9, left / 16) > 1) & (left < 0)
    return (lv | rv).float()


def draw(transform):
    """The heart seen through a transform."""
    points = space.resized((5 * rows, 5 * columns)).grid()
    return is_muscle(transform(points)).reshape(rows, 5, columns, 5).mean((1, 3))


angle = np.deg2rad(12)
true_linear = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ [[1.1, 0.05], [0.0, 0.92]]
true_shift = np.array([4.0, -2.5])  # pixels, to the right and down
truth = pb.Affine.about(
    torch.from_numpy(true_linear), shift_mm=-true_shift, centre=space.centre
)  # x and y are mirrored

fixed = draw(pb.Affine.identity(2))
moving = draw(truth.inverse())  # moving(truth(x)) = fixed(x)

# %%
# The **end-point error** is the honest measure: how far from the true place does a transform send the points of the
# heart, on average? One pixel is one millimetre here.

heart_points = space.grid()[fixed > 0.5]


def end_point_error(transform):
    """The mean distance from the truth over the heart, in mm."""
    return float((transform(heart_points) - truth(heart_points)).norm(dim=-1).mean())


print(f"before: {end_point_error(pb.Affine.identity(2)):.2f} mm")

fig, axes = plt.subplots(1, 3, figsize=(10, 2.6), sharey=True)
for axis, picture, title in zip(axes, (fixed, moving), ("fixed", "moving"), strict=False):
    axis.imshow(picture.numpy())
    axis.set(title=title, xlabel="column")
shown = axes[2].imshow((moving - fixed).numpy(), cmap="RdBu_r", vmin=-1, vmax=1)
axes[2].set(title="moving - fixed", xlabel="column")
axes[0].set_ylabel("row")
fig.colorbar(shown, ax=axes[2], shrink=0.8)
plt.show()

# %%
# Registration by hand
# --------------------
#
# The six numbers say what the matrix adds to the identity, and the shift in pixels. The four of the matrix are
# divided by a **radius** of 20 pixels: so a change of 1 in *any* of the numbers moves the rim of the heart by about
# one pixel, and one step length suits them all. That small thing decides whether a simple optimiser gets anywhere
# (see the questions at the end).
#
# Torch's [-1, 1] coordinates (:doc:`/tutorial/03_rotation`) occur in one function and nowhere else:

radius = 20.0
half_sides = torch.tensor([columns / 2, rows / 2])


def matrix_and_shift(parameters, radius=radius):
    """(2, 2) and (2,), in pixels (x to the right, y down) about the middle of the image."""
    return torch.eye(2) + parameters[:4].view(2, 2) / radius, parameters[4:]


def warp(image, matrix, shift):
    """The image pulled back; `matrix` (n, 2, 2) and `shift` (n, 2) make n images, without n just one."""
    matrix, shift = matrix.reshape(-1, 2, 2), shift.reshape(-1, 2)
    scaled = matrix * half_sides / half_sides[:, None]  # the same map in halves of the sides
    theta = torch.cat([scaled, (shift / half_sides)[..., None]], dim=-1)
    grid = affine_grid(theta, (len(theta), 1, rows, columns), align_corners=False)
    return grid_sample(image.expand(len(theta), 1, rows, columns), grid, align_corners=False)[:, 0].squeeze(0)


# %%
# And the loop: warp, compare, ask torch for the gradient, take a step. Every optimiser of torch works, as long as it
# is given a function that says the loss. We keep what we see on the way.


def affine_register(fixed, moving, criterion, make_optimiser, steps, start=None, radius=radius):
    """The best parameters, and for each look at the images: the parameters, the loss, the seconds."""
    parameters = (torch.zeros(6) if start is None else start.clone()).requires_grad_()
    optimiser = make_optimiser([parameters])
    path, losses, seconds, began = [], [], [], time.perf_counter()

    def look():
        optimiser.zero_grad()
        loss = criterion(warp(moving, *matrix_and_shift(parameters, radius)), fixed)
        loss.backward()
        path.append(parameters.detach().clone()), losses.append(loss.item())
        seconds.append(time.perf_counter() - began)
        return loss

    for _ in range(steps):
        optimiser.step(look)
    return path[int(np.nanargmin(losses))], torch.stack(path), np.array(losses), np.array(seconds)


# %%
# Exercise
# --------
#
# The criterion is missing. Write the **mean squared error**
#
# .. math::  \text{MSE} = \frac{1}{N} \sum_{i=1}^{N} (\text{warped}_i - \text{fixed}_i)^2
#
# over all :math:`N` pixels, and use ``affine_register`` with ``torch.optim.Adam`` to align the moving heart with the
# fixed one. How far is the result from the truth? Try some learning rates. Can the loss reach zero?
#
# .. dropdown:: Hint
#
#    One line of torch; it must be torch and not numpy, or there is no gradient. A learning rate of 0.1 is a step of
#    about a tenth of a pixel: how many steps does a heart need that is 5 pixels off? ``as_transform`` below turns
#    parameters into a transform for ``end_point_error``.


def as_transform(parameters, radius=radius):
    """Our parameters as a transform in mm."""
    matrix, shift = matrix_and_shift(parameters, radius)
    return pb.Affine.about(matrix.double(), shift_mm=-shift.double(), centre=space.centre)


# %%
# Solution
# --------


def mse(warped, fixed):
    """0 is perfect."""
    return ((warped - fixed) ** 2).mean()


found, path, losses, _ = affine_register(fixed, moving, mse, lambda p: torch.optim.Adam(p, lr=0.3), steps=200)
warped = warp(moving, *matrix_and_shift(found))
print(f"loss {losses[0]:.4f} -> {losses.min():.4f}, end-point error {end_point_error(as_transform(found)):.3f} mm")

assert torch.allclose(mse(moving, fixed), mse_loss(moving, fixed))
assert end_point_error(as_transform(found)) < 0.1
assert 0 < losses.min() < 0.02 * losses[0]

fig, axes = plt.subplots(1, 3, figsize=(10, 2.6), width_ratios=[1, 1, 1.1])
axes[0].imshow(warped.numpy(), vmin=0, vmax=1)
axes[0].set(title="warped", xlabel="column", ylabel="row")
shown = axes[1].imshow((warped - fixed).numpy(), cmap="RdBu_r", vmin=-1, vmax=1)
axes[1].set(title="warped - fixed", xlabel="column")
fig.colorbar(shown, ax=axes[1], shrink=0.8)
axes[2].semilogy(losses)
axes[2].set(title="mean squared error", xlabel="step")
plt.show()

# %%
# The loss does not reach zero, although the transform is right to some hundredths of a pixel: interpolation blurs the
# moving image a little (:doc:`/tutorial/02_subpixel`), and the fixed one not. So a loss tells how alike images
# *look*, in its own unit. How accurate a registration is, only the truth tells, or landmarks and labels where there
# is none.
#
# Is our transform the same as pullback's, and so is the measure? The transform of the by-hand result, read by
# pullback:

by_pullback = pb.apply(as_transform(found), pb.Image.of(moving, space=space), onto=space)
assert np.abs(by_pullback.numpy() - warped.numpy()).max() < 1e-4

# %%
# Three ways down
# ---------------
#
# - **Gradient descent** goes downhill, by the learning rate times the gradient.
# - **Adam** (Kingma & Ba 2015) divides each number's gradient by its usual size, so that each moves by about the
#   learning rate, whatever the slope; and it keeps some of its speed.
# - **L-BFGS** learns from the last few gradients how the slope *changes*, the curvature, and jumps to where the slope
#   should be zero; a line search sees to it that it does not jump too far.
#
# L-BFGS may look at the images several times for a step. The fair axis is the number of looks, or seconds.

ways = {
    "gradient descent, 10": (lambda p: torch.optim.SGD(p, lr=10.0), 250),
    "with momentum 0.9": (lambda p: torch.optim.SGD(p, lr=10.0, momentum=0.9), 250),
    "Adam, 0.3": (lambda p: torch.optim.Adam(p, lr=0.3), 250),
    "L-BFGS": (lambda p: torch.optim.LBFGS(p, max_iter=60, line_search_fn="strong_wolfe"), 1),
}
runs = {name: affine_register(fixed, moving, mse, make, steps) for name, (make, steps) in ways.items()}

fig, axes = plt.subplots(1, 2, figsize=(10, 3.3), sharey=True)
for name, (best, _, losses, seconds) in runs.items():
    axes[0].semilogy(losses, label=f"{name}: {end_point_error(as_transform(best)):.2f} mm")
    axes[1].semilogy(seconds, losses)
axes[0].set(title="loss, and the end-point error at the end", xlabel="looks at the images", ylabel="mean squared error")
axes[0].legend()
axes[1].set(title="the same over time (CPU)", xlabel="seconds")
plt.show()


def looks_until(losses, level=0.002):
    """How many looks it takes to bring the loss below a level."""
    return int(np.argmax(losses < level)) if (losses < level).any() else None


for name, (_, _, losses, _) in runs.items():
    print(f"{name:20} looks until the loss is below 0.002: {looks_until(losses)}")
errors = {name: end_point_error(as_transform(best)) for name, (best, *_) in runs.items()}
assert errors["Adam, 0.3"] < 0.1
assert errors["L-BFGS"] < 0.1
assert errors["gradient descent, 10"] > 0.3  # not there yet
assert looks_until(runs["L-BFGS"][2]) < looks_until(runs["Adam, 0.3"][2])

# %%
# For six numbers L-BFGS needs some twenty looks; that is why it is
# pullback's choice for affine maps. For the hundred thousand numbers of a deformation other things count
# (:doc:`/methods/optimisers`).
#
# The learning rate
# -----------------
#
# Too small, and it does not arrive. Too large, and it jumps over the valley, or leaves the picture altogether:

fig, axes = plt.subplots(1, 2, figsize=(10, 3.3), sharey=True)
at_rate = {}
for axis, name, optimiser, rates in (
    (axes[0], "gradient descent", torch.optim.SGD, (1.0, 10.0, 100.0, 400.0)),
    (axes[1], "Adam", torch.optim.Adam, (0.003, 0.03, 0.3, 3.0)),
):
    for rate in rates:
        best, _, losses, _ = affine_register(fixed, moving, mse, lambda p, o=optimiser, r=rate: o(p, lr=r), 150)
        at_rate[name, rate] = losses
        axis.semilogy(losses, label=f"{rate:g}")
    axis.set(title=f"{name}: learning rate", xlabel="step")
    axis.legend(ncols=2)
axes[0].set_ylabel("mean squared error")
plt.show()

assert at_rate["Adam", 0.3].min() < 0.0015 < 0.05 < at_rate["Adam", 0.003].min()
assert at_rate["gradient descent", 400.0][-1] > at_rate["gradient descent", 10.0][-1]
assert at_rate["gradient descent", 1.0].min() > 2 * at_rate["gradient descent", 10.0].min()

# %%
# (A gradient is so small because it is a mean over all pixels, most of which are black in both images. Hence gradient
# descent's large numbers, and hence nobody can tell you the right one for *your* images. A rate for Adam is a
# length.)
#
# The landscape
# -------------
#
# With two numbers free and the others held at the truth, the loss is a landscape that can be drawn. On the left the
# free numbers are the two shifts; on the right the angle and a shift.

stretch = torch.tensor([[1.1, 0.05], [0.0, 0.92]])
linear_part = torch.tensor(true_linear, dtype=torch.float32)
ty = torch.tensor(true_shift[1], dtype=torch.float32)


def by_shifts(numbers):
    """(n, 2) numbers, tx and ty, to matrices and shifts."""
    return linear_part.expand(len(numbers), 2, 2), numbers


def by_angle_and_shift(numbers):
    """(n, 2) numbers, the angle times the radius and tx, to matrices and shifts."""
    a, tx = numbers[:, 0] / radius, numbers[:, 1]
    turn = torch.stack([a.cos(), -a.sin(), a.sin(), a.cos()], dim=-1).view(-1, 2, 2)
    return turn @ stretch, torch.stack([tx, ty.expand(len(tx))], dim=-1)


def landscape(model, across, up):
    """The loss at every pair of the two numbers, (up, across)."""
    numbers = torch.cartesian_prod(torch.as_tensor(up), torch.as_tensor(across)).flip(1).float()
    loss = torch.cat([((warp(moving, *model(part)) - fixed) ** 2).mean((1, 2)) for part in numbers.split(256)])
    return loss.view(len(up), len(across)).numpy()


def walk(model, start, make_optimiser, steps):
    """Where an optimiser looks, (looks, 2)."""
    numbers = torch.tensor([start], dtype=torch.float32, requires_grad=True)
    optimiser, path = make_optimiser([numbers]), []

    def look():
        optimiser.zero_grad()
        loss = mse(warp(moving, *model(numbers)), fixed)
        loss.backward()
        path.append(numbers.detach()[0].clone())
        return loss

    for _ in range(steps):
        optimiser.step(look)
    return torch.stack(path).numpy()


walkers = {
    "gradient descent": (lambda p: torch.optim.SGD(p, lr=10.0), 150),
    "Adam": (lambda p: torch.optim.Adam(p, lr=0.3), 150),
    "L-BFGS": (lambda p: torch.optim.LBFGS(p, max_iter=30, line_search_fn="strong_wolfe"), 1),
}
colours = dict(zip(walkers, ("#e69f00", "#d55e00", "#56b4e9"), strict=True))
degrees = radius * np.pi / 180  # in pixels at the radius
panels = (
    (by_shifts, np.linspace(-10, 16, 66), np.linspace(-12, 14, 66), (-1.0, 3.0), true_shift, 1),
    (by_angle_and_shift, np.linspace(-40, 60, 61) * degrees, np.linspace(-6, 14, 51), (-12 * degrees, 0.0),
     (12 * degrees, true_shift[0]), degrees),
)  # fmt: skip

fig, axes = plt.subplots(1, 2, figsize=(10, 4.8))
ends = {}
for axis, (model, across, up, start, goal, unit) in zip(axes, panels, strict=True):
    loss = landscape(model, across, up)
    shown = axis.contourf(across / unit, up, np.sqrt(loss), np.arange(0, 0.56, 0.02), cmap="gray")
    for name, (make, steps) in walkers.items():
        path = walk(model, start, make, steps)
        ends[model.__name__, name] = np.linalg.norm(path[-1] - goal)
        axis.plot(path[:, 0] / unit, path[:, 1], ".-", color=colours[name], markersize=4, linewidth=1, label=name)
    axis.plot(goal[0] / unit, goal[1], "x", color="#cc79a7", markersize=10, markeredgewidth=2.5, label="truth")
    axis.set(xlim=(across[0] / unit, across[-1] / unit), ylim=(up[0], up[-1]))
astray = walk(by_shifts, (-3.0, 5.0), *walkers["Adam"])
axes[0].plot(*astray.T, ":", color=colours["Adam"], label="Adam from farther off")
axes[0].set(title="shifts", xlabel="shift to the right, pixels", ylabel="shift down, pixels")
axes[1].set(title="angle and shift", xlabel="angle, degrees", ylabel="shift to the right, pixels")
fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
fig.colorbar(shown, ax=axes, label="root mean square difference")
plt.show()

for (model, name), end in ends.items():
    print(f"{model:18} {name:16} ends {end:.2f} pixels from the truth")
assert all(end < 0.1 for (_, name), end in ends.items() if name != "gradient descent")
assert np.linalg.norm(astray[-1] - true_shift) > 10

# %%
# Near the truth there is one round valley. Farther out are plateaus and ridges, where the ring of one heart lies
# across the ring of the other; who starts there, like the dotted path, goes down somewhere else. L-BFGS makes a wild
# guess now and then, even outside the picture; its line search takes it back.
#
# From how far?
# -------------
#
# The **capture range** is the set of starts from which an optimiser arrives. Start Adam from many shifts at once and
# mark those that end within a tenth of a pixel of the truth. Then do the same with a **pyramid**: first on strongly
# blurred images, where all that is left of the heart is a blob with wide slopes, then on less and less blurred ones,
# each from where the last one ended. (A real pyramid also makes blurred images smaller, since they need fewer pixels.
# That makes it fast.)

starts = torch.cartesian_prod(torch.arange(-28.0, 37, 4), torch.arange(-22.5, 18, 4))


def run_all(blurs, steps):
    """Where all the starts end, on images blurred by Gaussians of these standard deviations, in pixels."""
    numbers = starts.clone()
    for blur in blurs:
        f, m = (torch.from_numpy(ndimage.gaussian_filter(i.numpy(), blur)) for i in (fixed, moving))
        numbers.requires_grad_()
        optimiser = torch.optim.Adam([numbers], lr=0.5)
        for _ in range(steps):
            optimiser.zero_grad()
            ((warp(m, *by_shifts(numbers)) - f) ** 2).mean((1, 2)).sum().backward()  # each start has its own mean
            optimiser.step()
        numbers = numbers.detach()
    return (numbers - torch.from_numpy(true_shift)).norm(dim=1) < 0.1


arrived = {"without a pyramid": run_all((0,), 180), "pyramid: blurred by 6, 3 and 0 pixels": run_all((6, 3, 0), 60)}
fig, axes = plt.subplots(1, 2, figsize=(10, 3.9), sharey=True)
for axis, (name, there) in zip(axes, arrived.items(), strict=True):
    axis.scatter(*starts[there].T.numpy(), color="#009e73", s=40, label="arrives")
    axis.scatter(*starts[~there].T.numpy(), color="#d55e00", s=25, marker="x", linewidth=1, label="does not")
    axis.plot(*true_shift, "*", color="black", markersize=12, label="truth")
    axis.set(title=f"{name}: {int(there.sum())} of {len(there)} arrive", xlabel="start: shift to the right, pixels")
    axis.set_aspect("equal")
axes[0].set_ylabel("start: shift down, pixels")
fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
plt.show()

plain, pyramid = (int(there.sum()) for there in arrived.values())
assert pyramid > 1.5 * plain

# %%
# The same with pullback
# ----------------------
#
# One line, and what it does is written in its recipe: the centres are aligned first, in case the hearts do not meet
# at all; then a rotation and a shift; then all six numbers.

fixed_image, moving_image = pb.Image.of(fixed, space=space), pb.Image.of(moving, space=space)
plain = pb.recipes.affine()
plain = replace(plain, stages=plain.stages[:-1])  # without its finish, which does by itself what we do by hand below
result = pb.register(fixed_image, moving_image, plain)
print(result)
print(f"end-point error {end_point_error(result.transform):.3f} mm")

for stage in plain.stages[1:]:
    print(stage.model, stage.energy.similarity, stage.optimiser, stage.schedule.levels, sep="\n   ")
assert result.ok
assert end_point_error(result.transform) < 0.8

# %%
# Some tenths of a pixel: not good enough for us. The recipe compares images by mutual information, since it must also
# serve images of different contrast (:doc:`/tutorial/07_mutual_information`); on a drawing of two brightnesses that
# is a blunt tool. A recipe is a value, so we put our three choices into it. (``pullback recipe show affine`` prints
# it as a file to edit, see :doc:`/recipes`.)

from pullback.energy import MSE, Energy
from pullback.optimise import LBFGS, Adam, GradientDescent
from pullback.registration import Optimise


def with_choices(recipe, similarity, optimiser):
    """The recipe with another similarity and optimiser in all its stages that minimise."""
    stages = [
        replace(stage, energy=Energy(similarity), optimiser=optimiser) if isinstance(stage, Optimise) else stage
        for stage in recipe.stages
    ]
    return replace(recipe, stages=tuple(stages))


choices = {
    "GradientDescent()": GradientDescent(),
    "Adam(step_voxels=0.1)": Adam(step_voxels=0.1),
    "LBFGS": LBFGS(shortest_voxels=1e-4),  # go on until a step moves no voxel farther than this
}
results = {
    name: pb.register(fixed_image, moving_image, with_choices(plain, MSE(), optimiser))
    for name, optimiser in choices.items()
}

# %%
# A result remembers the loss before every step, level by level (our drawing is too small for more levels than one, so
# later levels of the recipe end at once). The plateau is the rigid stage, where rotation and shift alone can do no
# more:

histories = {
    name: [loss for outcome in result.outcomes for level in outcome.history for loss in level.losses]
    for name, result in results.items()
}
fig, axis = plt.subplots(figsize=(7, 3.3))
for name, history in histories.items():
    axis.semilogy(history, label=f"{name}: {end_point_error(results[name].transform):.3f} mm")
axis.set(title="rigid, then affine, in pullback", xlabel="step", ylabel="mean squared error")
axis.legend()
plt.show()

for name, result in results.items():
    print(f"{name:22} {result.status.name}, {end_point_error(result.transform):.3f} mm, {result.seconds:.2f} s")
    assert result.ok
    assert end_point_error(result.transform) < 0.25
assert end_point_error(results["LBFGS"].transform) < 0.1
assert 2 * len(histories["LBFGS"]) < min(len(histories[name]) for name in choices if name != "LBFGS")

# %%
# All three recover the known warp to about a tenth of a pixel or better, and L-BFGS takes by far the fewest steps.
# ``pb.report.figure`` draws what one wants to see of any result, here the two images in two colours (grey where they
# agree) before and after:

pb.report.figure(results["LBFGS"], "overlay")

# %%
# What do you expect if ...
# -------------------------
#
# .. dropdown:: ... the parameters are not scaled, so that the four of the matrix are plain numbers (radius 1)?
#
#    A step that suits the shift then turns the matrix by far too much, and one that suits the matrix leaves the shift
#    where it is: the valley becomes a gorge, 400 times steeper across than along. Gradient descent does not get down;
#    Adam and L-BFGS find out the scale by themselves, at a price.
#
# .. dropdown:: ... Adam gets a learning rate of 0.00001, as notebooks do?
#
#    Adam's numbers move by at most about the learning rate each step. In torch's coordinates 0.00001 is a third of a
#    thousandth of a pixel: after 1000 steps our heart has moved by a third of a pixel, of the 5 that it needs. The
#    curve falls so nicely straight because it has hardly begun.
#
# .. dropdown:: ... the moving image is twice as bright?
#
#    The hearts can no longer be made equal, and the mean squared error prefers what hides the difference. Here it
#    makes the bright heart smaller. Page :doc:`/tutorial/06_ncc` has the cure.
#
# .. dropdown:: ... the start is outside the capture range, also of the pyramid?
#
#    Then no optimiser helps: it must start elsewhere. ``AlignCentres`` and ``Search`` in pullback's recipes try
#    several starts by themselves, see :doc:`/methods/initialisation`.
#
# Checked:


def descend(radius, rate, optimiser=torch.optim.SGD, steps=250):
    """The end-point error of a run with parameters of another scale."""
    best, *_ = affine_register(fixed, moving, mse, lambda p: optimiser(p, lr=rate), steps, radius=radius)
    return end_point_error(as_transform(best, radius))


scaled = descend(20.0, 10.0)
unscaled = {rate: round(descend(1.0, rate), 2) for rate in (0.003, 0.03, 0.3, 3.0, 30.0)}
print(f"mm left by learning rate, with radius 1: {unscaled}, with radius 20 and rate 10: {scaled:.2f}")
assert min(unscaled.values()) > 1.5 * scaled

timid = descend(20, 0.00032, torch.optim.Adam, steps=1000)  # 0.00001 half widths are 0.00032 pixels
print(f"1000 steps of Adam by 0.00032 pixels: {timid:.1f} mm are left")
assert timid > 4

bright, *_ = affine_register(fixed, 2 * moving, mse, lambda p: torch.optim.Adam(p, lr=0.3), 200)
print(f"twice as bright: {end_point_error(as_transform(bright)):.1f} mm")
assert warp(moving, *matrix_and_shift(bright)).sum() < 0.97 * warped.sum()
assert end_point_error(as_transform(bright)) > 5 * errors["Adam, 0.3"]

far = pb.Affine.translation([-25.0, 0.0])  # the hearts hardly meet
mine = with_choices(plain, MSE(), choices["LBFGS"])
without = replace(mine, stages=mine.stages[1:])
lost = pb.register(fixed_image, moving_image, without, initial=far)
saved = pb.register(fixed_image, moving_image, mine, initial=far)
print(f"from far, without AlignCentres: {end_point_error(lost.transform):.1f} mm off")
print(f"from far, with AlignCentres: {end_point_error(saved.transform):.2f} mm off")
assert end_point_error(lost.transform) > 5
assert end_point_error(saved.transform) < 0.1

torch.set_num_threads(threads)
