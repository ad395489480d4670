r"""
5. Three numbers: rigid registration
====================================

You will register two hearts with an angle and a shift, three numbers in all, and see why the angle turns about the
middle of the image, why degrees and millimetres cannot be fed to one optimiser as they are, and what the three numbers
that you did *not* free would have cost you. Then the same in one line, also for an image that lies on its side.
"""

import math

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch.nn.functional import avg_pool2d, grid_sample, max_pool2d

import pullback as pb

# sphinx_gallery_thumbnail_number = 3

# %%
# Two hearts
# ----------
# The binary heart of :doc:`/tutorial/01_heart_phantom`, blurred over 3 x 3 pixels as a scanner would. Its pixels are
# 1 mm wide, so that pixels and millimetres are the same numbers here. A point is written (x, y), in mm: x to the
# right, y *down* the picture, (0, 0) in the middle of the first pixel.
#
# ``grid_sample`` of torch reads an image between its pixels. It wants points on a scale of its own, where -1 and 1
# are the two ends of the image. Which ends? With ``align_corners=True`` they are the *middles* of the first and the
# last pixel, and a pixel that is number x of 0 to W - 1 lies at 2 x / (W - 1) - 1. (Otherwise they are the outer
# edges of these pixels, and the formula is another: whoever mixes the two is wrong by a scale of some per cent.)

binary = pb.phantom.short_axis().data[0]
heart = avg_pool2d(binary[None], 3, stride=1, padding=1)[0]
y, x = torch.meshgrid(torch.arange(40.0), torch.arange(64.0), indexing="ij")
points = torch.stack([x, y], dim=-1)  # (40, 64, 2): where each pixel lies, mm
centre = torch.tensor([31.5, 19.5])


def read(image, points):
    """The image at points (x, y), linearly between its pixels, 0 outside."""
    last = torch.tensor([image.shape[1] - 1, image.shape[0] - 1])
    return grid_sample(image[None, None], (2 * points / last - 1)[None], align_corners=True)[0, 0]


def rigid(params, points, about=centre):
    """Turn by params[0] degrees about a point, then shift by params[1] and params[2] mm."""
    c, s = torch.cos(params[0] * math.pi / 180), torch.sin(params[0] * math.pi / 180)
    x, y = (points - about).unbind(-1)
    return torch.stack([c * x - s * y, s * x + c * y], dim=-1) + about + params[1:]


# %%
# The moving image is the heart turned by 20 degrees and shifted. As always, the transform takes *fixed points to
# moving points* and the image comes back along it, :math:`\text{warped}(x) = \text{moving}(T(x))`; so the moving
# image is the heart read through the inverse of the answer: first the shift is undone, then the turn.

truth = torch.tensor([20.0, 3.4, -2.6])  # degrees, mm, mm
fixed = heart
unshifted = points - truth[1:]
moving = read(heart, rigid(torch.tensor([-20.0, 0.0, 0.0]), unshifted))


def show(ax, image, title, **style):
    ax.set(title=title, xlabel="x (mm)", ylabel="y (mm)")
    return ax.imshow(np.asarray(image), **style)


fig, axes = plt.subplots(1, 2, figsize=(9, 3.1))
show(axes[0], fixed, "fixed, and where each point is looked up")
show(axes[1], moving, "moving, and what is found there")
some = points[4::8, 4::8].reshape(-1, 2)
landed = rigid(truth, some)
axes[0].quiver(*some.T, *(landed - some).T, angles="xy", scale_units="xy", scale=1, color="#e69f00", width=0.004)
axes[1].plot(*landed.T, "o", ms=3, color="#e69f00")
axes[1].set(xlim=axes[0].get_xlim(), ylim=axes[0].get_ylim())
plt.show()

# %%
# Exercise
# --------
# An affine map in the plane has six free numbers. A rigid one has three:
#
# .. math::
#
#    T_{\text{rigid}} = \begin{bmatrix} \cos\theta & -\sin\theta & t_x \\ \sin\theta & \cos\theta & t_y \end{bmatrix}
#
# Turn the ``affine_register`` of :doc:`/tutorial/04_mse_affine` into a ``rigid_register`` that optimises only
# :math:`\theta, t_x, t_y` with the mean squared error.
#
# .. dropdown:: Hint: where the three numbers go
#
#    Optimise a tensor of three numbers and build the matrix from them, with ``torch.cos`` and ``torch.sin``, in every
#    step. Nothing else changes: the gradient finds its way through the cosine.
#
# .. dropdown:: Hint: a trap
#
#    ``affine_grid`` of torch takes a matrix on the scale of -1 to 1. This image is wider than it is high, so on that
#    scale a rotation matrix is no rotation: it shears the heart. Turn points in mm, and bring them to that scale
#    afterwards.
#
# Solution
# --------
# The loop of the affine page with another transform in it. One thing is new: ``units`` says how far a step of 1 goes
# in each of the three numbers. It is explained below.


def rigid_register(fixed, moving, start=(0.0, 0.0, 0.0), units=(4.0, 1.0, 1.0), steps=150, rate=0.2):
    """Angle in degrees and shift in mm that make the squared difference small, and the losses on the way."""
    start, units = torch.tensor(start), torch.tensor(units)
    free = torch.zeros(3, requires_grad=True)
    optimiser = torch.optim.Adam([free], lr=rate)
    losses = []
    for _ in range(steps):
        loss = ((read(moving, rigid(start + units * free, points)) - fixed) ** 2).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return (start + units * free).detach(), losses


found, losses = rigid_register(fixed, moving)
print(f"found {found[0]:.2f} degrees, {found[1]:.2f} mm, {found[2]:.2f} mm")
print(f"truth {truth[0]:.2f} degrees, {truth[1]:.2f} mm, {truth[2]:.2f} mm")
error_mm = (rigid(found, points) - rigid(truth, points)).norm(dim=-1)
print(f"error over the image: mean {error_mm.mean():.3f} mm, worst {error_mm.max():.3f} mm")
assert error_mm.max() < 0.15

fig, axes = plt.subplots(1, 3, figsize=(10, 2.6))
warped = read(moving, rigid(found, points))
show(axes[0], moving - fixed, "moving - fixed", cmap="RdBu_r", vmin=-1, vmax=1)
shown = show(axes[1], warped - fixed, "warped - fixed", cmap="RdBu_r", vmin=-1, vmax=1)
fig.colorbar(shown, ax=axes[1], shrink=0.8)
axes[2].semilogy(losses)
axes[2].set(title="the loss on its way", xlabel="step", ylabel="mean squared error")
plt.show()

# %%
# The loss does not reach 0: the moving image was read between the pixels of the heart, and is read so once more.
#
# Why about the middle, and why units
# -----------------------------------
# An optimiser sees three numbers and no picture. It gets along well when a step of the same size in each of them
# moves the picture about as far, and when one number can be improved without the others. How far a loss is from that
# is told by its second derivatives near the answer. For a squared difference they are, nearly,
#
# .. math::
#
#    H = J^\top J, \qquad J = \frac{\partial\, \text{warped}}{\partial(\theta, t_x, t_y)}
#
# The largest eigenvalue of H bounds the step, the smallest says how slow the worst direction then is: their ratio,
# the **condition number**, is about the number of steps that gradient descent needs.


def curvature(units, about, image=heart):
    """H near the answer, where a step of 1 in each number means `units`; J by differences of two warped images."""
    columns = []
    for k in range(3):
        step = torch.zeros(3)
        step[k] = 0.05 * units[k]
        ahead, behind = (read(image, rigid(s * step, points, about)) for s in (1, -1))
        columns.append(((ahead - behind) / 0.1).flatten())
    J = torch.stack(columns, dim=1).double()
    return J.T @ J


edges = torch.stack(torch.gradient(heart)).norm(dim=0)
arm = ((edges**2 * ((points - centre) ** 2).sum(-1)).sum() / (edges**2).sum()).sqrt()
print(f"the edges lie {arm:.1f} mm from the middle; 1 mm of arc there is {math.degrees(1 / arm):.1f} degrees")

corner = torch.zeros(2)
choices = {
    "radians, about the corner": (180 / math.pi, corner),
    "radians, about the middle": (180 / math.pi, centre),
    "degrees, about the middle": (1.0, centre),
    "mm of arc, about the middle": (math.degrees(1 / arm), centre),
}
condition = {}
for name, (unit, about) in choices.items():
    condition[name] = torch.linalg.cond(curvature((unit, 1.0, 1.0), about)).item()
    print(f"{name:30s} condition number {condition[name]:7.1f}")

assert condition["radians, about the corner"] > 5 * condition["radians, about the middle"]
assert 2 * condition["mm of arc, about the middle"] < condition["radians, about the middle"]
assert 2 * condition["mm of arc, about the middle"] < condition["degrees, about the middle"]

# %%
# A radian moves the edges by some 13 mm, a degree by a quarter of one. Turned about the corner of the image, a small
# angle is mostly a shift, so that angle and shift must be changed together: the valley of the loss is narrow *and*
# slanted. About the middle, with the angle counted in millimetres of arc, the valley is nearly round. Here is plain
# gradient descent, with the longest steps that each of them allows, in the three last of the four (about the corner
# it would still be on its way tomorrow).


def descend(units, steps=40):
    """Gradient descent on the same loss from the same start, and its path in degrees and mm."""
    units = torch.tensor(units)
    rate = (fixed.numel() / 2 / torch.linalg.eigvalsh(curvature(units, centre)).max()).float()
    params, path = torch.zeros(3), []
    for _ in range(steps):
        path.append(params)
        here = params.clone().requires_grad_()
        loss = ((read(moving_near, rigid(here, points)) - fixed) ** 2).mean()
        (slope,) = torch.autograd.grad(loss, here)
        params = params - rate * units**2 * slope  # units twice: of the slope, and of the step
    return torch.stack(path)


near = torch.tensor([6.0, 1.2, 0.0])  # a smaller motion, whose path fits into a picture
moving_near = read(heart, rigid(torch.tensor([-near[0], 0.0, 0.0]), points - near[1:]))
arc = math.degrees(1 / arm)
paths = {"radians": descend((180 / math.pi, 1.0, 1.0)), "degrees": descend((1.0, 1.0, 1.0))}
paths["mm of arc"] = descend((arc, 1.0, 1.0))

angles, shifts = torch.linspace(-2, 12, 29), torch.linspace(-1.2, 2.6, 20)
landscape = torch.tensor(
    [
        [((read(moving_near, rigid(torch.stack([a, t, near[2]]), points)) - fixed) ** 2).mean() for a in angles]
        for t in shifts
    ]
)
fig, axes = plt.subplots(1, 3, figsize=(10, 3.3), sharey=True)
for ax, (name, path), unit in zip(axes, paths.items(), (180 / math.pi, 1.0, arc), strict=True):
    ax.contour(angles / unit, shifts, landscape**0.5, levels=14, cmap="cividis", linewidths=0.8)
    ax.plot(path[:, 0] / unit, path[:, 1], "o-", ms=3, color="#d55e00", lw=1)
    ax.plot(near[0] / unit, near[1], "*", ms=13, color="#0072b2")
    ax.set(xlabel=f"angle ({name})", title=f"angle in {name}: after {len(path)} steps")
    left = (rigid(path[-1], points) - rigid(near, points)).norm(dim=-1).mean()
    ax.text(0.04, 0.04, f"{left:.2f} mm to go", transform=ax.transAxes)
    ax.set_aspect("equal" if name == "mm of arc" else "auto")
axes[0].set_ylabel("shift along x (mm)")
plt.show()

left = {
    name: (rigid(path[-1], points) - rigid(near, points)).norm(dim=-1).mean().item() for name, path in paths.items()
}
print({name: f"{v:.3f} mm left" for name, v in left.items()})
assert left["mm of arc"] < 0.5 * min(left["radians"], left["degrees"])

# %%
# With millimetres of arc the ellipses are still not circles: the left ventricle is a ring, and a ring does not notice
# that it is turned. Only the right ventricle tells the angle. pullback counts every linear parameter in millimetres,
# for this reason (a generator times the radius of the image, see :doc:`/methods/transforms`), and so should you.
#
# What the other three numbers cost
# ---------------------------------
# An affine map can do all that a rigid one can. Why not always take it? Because what a number is free to do, noise
# will make it do. Take a motion that *is* rigid, add noise, and fit both models. The motion is small now, so that
# least squares find the answer in a few steps: linearise the warped image in the parameters, with the J from above,
# solve, and repeat (Gauss and Newton's way; no step size, no units).


def affine(params, points):
    """Six numbers, in mm at the distance `arm` from the middle: four for the matrix, two for the shift."""
    return points + (points - centre) @ (params[:4].reshape(2, 2) / arm).T + params[4:]


def in_arc(params, points):
    """Three numbers: mm of arc, and the shift."""
    return rigid(torch.stack([params[0] * arc, params[1], params[2]]), points)


def least_squares(transform, count, fixed, moving, steps=6):
    """The parameters that make the squared difference least, by Gauss-Newton."""
    params = torch.zeros(count)
    for _ in range(steps):
        moved = [read(moving, transform(params + 0.05 * e, points)) for e in (*torch.eye(count), *-torch.eye(count))]
        J = torch.stack([(a - b).flatten() / 0.1 for a, b in zip(moved[:count], moved[count:], strict=True)], dim=1)
        residual = (read(moving, transform(params, points)) - fixed).flatten()
        params = params - torch.linalg.lstsq(J, residual).solution
    return params


generator = torch.Generator().manual_seed(5)
inside = max_pool2d(binary[None], 7, stride=1, padding=3)[0] > 0  # the heart and 3 mm about it
levels, draws = (0.1, 0.2, 0.4), 20
errors = {"rigid": [], "affine": []}
growth, lower = [], []
for sigma in levels:
    for _ in range(draws):
        noisy = fixed + sigma * torch.randn(fixed.shape, generator=generator)
        three, six = least_squares(in_arc, 3, noisy, moving_near), least_squares(affine, 6, noisy, moving_near)
        results = {"rigid": in_arc(three, points), "affine": affine(six, points)}
        rest = {name: ((read(moving_near, there) - noisy) ** 2).mean() for name, there in results.items()}
        lower.append(bool(rest["affine"] < rest["rigid"]))
        for name, there in results.items():
            errors[name].append((there - rigid(near, points)).norm(dim=-1)[inside].mean().item())
        growth.append(100 * (torch.linalg.det(torch.eye(2) + six[:4].reshape(2, 2) / arm).item() - 1))
errors = {name: np.array(e).reshape(len(levels), draws) for name, e in errors.items()}
growth = np.array(growth).reshape(len(levels), draws)

for k, sigma in enumerate(levels):
    r, a = errors["rigid"][k].mean(), errors["affine"][k].mean()
    print(f"noise {sigma:.2f}: rigid {r:.3f} mm, affine {a:.3f} mm; area changed by {growth[k].std():.1f} % (sd)")
print(f"the affine answer has the lower loss in {sum(lower)} of {len(lower)} draws")
assert sum(lower) >= 0.95 * len(lower)
assert (errors["affine"].mean(axis=1) > 1.2 * errors["rigid"].mean(axis=1)).all()

fig, axes = plt.subplots(1, 3, figsize=(10, 3))
show(axes[0], noisy, f"fixed, noise {levels[-1]}")
for colour, (name, e) in zip(("C0", "C1"), errors.items(), strict=True):
    beside = np.array(levels) + (0.006 if name == "affine" else -0.006)
    axes[1].plot(np.repeat(beside, draws), e.ravel(), ".", ms=4, alpha=0.4, color=colour)
    axes[1].plot(beside, e.mean(axis=1), "o-", label=name, color=colour)
axes[1].set(title="the truth is rigid", xlabel="standard deviation of the noise", ylabel="mean error in the heart (mm)")
axes[1].legend()
axes[2].hist(growth[-1], bins=np.arange(-3, 3.1, 0.5), color="C1", edgecolor="white")
axes[2].axvline(0, color="0.3", lw=1)
axes[2].set(title=f"area by the affine map, noise {levels[-1]}", xlabel="change of area (%)", ylabel="of 20 draws")
plt.show()

# %%
# Twice as many numbers, 1.4 times the error and more: the noise has twice as many ways to be fitted. The loss of the
# affine answer is the *lower* one, though. A low loss says how well two pictures were made alike; it does not say
# that the right thing was done. And the last panel is the part that can do harm: nothing grew, and an affine map
# reports that it did.
#
# A rigid answer is the right one when the thing itself is rigid or is to be compared at its own size: bones, a head,
# one patient on two days, or a heart whose size between two visits is the question. It is the wrong one for two
# patients, and for a heart that beats: :doc:`/tutorial/08_deformable`.
#
# The same with pullback
# ----------------------
# One line. pullback knows bare arrays as ITK does: world x runs to the left of the picture and y up, so that our
# (x, y) is (-x, -y) there. Turned about any point, an angle stays the same; a shift changes its sign.

result = pb.register(fixed.numpy(), moving.numpy(), "rigid")
print(result)
theirs = -result.transform(-points.reshape(-1, 2).double()).reshape(points.shape)
print(f"away from ours by {(theirs - rigid(found, points)).norm(dim=-1).mean():.3f} mm on average")
matrix = result.transform.matrix
print(f"angle {math.degrees(math.atan2(matrix[1, 0], matrix[0, 0])):.2f} degrees")
assert result.ok
assert (theirs - rigid(truth, points)).norm(dim=-1).max() < 0.4

# %%
# The measure that the recipe "rigid" minimises is not the squared difference but mutual information, which does not
# care for contrast (:doc:`/tutorial/07_mutual_information`); that the two agree to a few hundredths of a millimetre
# is no matter of course, but a test of both.
#
# Far away
# --------
# Descent walks downhill from where it is put. Here the heart lies on its side: along the angle the loss has one deep
# valley, and shoulders on which descent stops when the shift is free as well.

quarter = torch.tensor([90.0, 0.0, 0.0])
lying = read(heart, rigid(-quarter, points))
angles = torch.arange(-180.0, 180.5, 2.5)
losses = torch.tensor([((read(lying, rigid(torch.tensor([a, 0, 0]), points)) - heart) ** 2).mean() for a in angles])
starts = [-45.0, 0.0, 75.0, 120.0, 160.0]
tries = [rigid_register(heart, lying, start=(a, 0.0, 0.0), steps=100) for a in starts]
ends = [params for params, _ in tries]

fig, axes = plt.subplots(1, 2, figsize=(10, 3.2), width_ratios=[1, 2])
show(axes[0], lying, "moving, turned by 90 degrees")
axes[1].plot(angles, losses, color="0.6", lw=2, label="loss, no shift")
for k, (a, (params, track)) in enumerate(zip(starts, tries, strict=True)):
    arrow = {"arrowstyle": "->", "color": f"C{k}", "lw": 1.5}
    axes[1].annotate("", (params[0], track[-1]), (a, track[0]), arrowprops=arrow)
    axes[1].plot(a, track[0], "o", color=f"C{k}")
axes[1].set(title="where descent ends from five starts (angle and shift free)", xlabel="angle (degrees)", ylabel="loss")
axes[1].set_xticks(range(-180, 181, 45))
plt.show()

for a, params, (_, track) in zip(starts, ends, tries, strict=True):
    print(f"from {a:6.1f} degrees to {params[0]:7.1f}, loss {track[-1]:.4f}")
assert abs(ends[1][0] - 90) > 30
best = min(range(len(starts)), key=lambda k: tries[k][1][-1])
assert tries[best][1][-1] < 0.1 * tries[1][1][-1]
assert abs(ends[best][0] - 90) < 1

# %%
# The remedy is to start many times and to keep the best. pullback's ``Search`` does it for all angles and *all*
# shifts at once: at every 10 degrees the edges of both images are correlated by Fourier transforms, the best poses
# are improved and compared, and where no pose convinces, or two do alike, the result says so
# (:doc:`/methods/initialisation`). It is part of the recipe "rigid"; its notes tell what it found.

space = pb.phantom.heart_space(shape=(96, 96), spacing=(2.8, 2.8))
chest = pb.phantom.heart(space=space, noise=0, bias=0).image
on_its_side = pb.Affine.rigid(90.0, shift_mm=[12.0, -8.0], centre=space.centre)
pair = pb.phantom.warp_pair(chest, on_its_side, noise=0.03)
searched = pb.register(pair.fixed, pair.moving, "rigid")
started = pb.register(pair.fixed, pair.moving, "affine")  # a recipe without a search

miss = {}
for name, r in (("rigid, with a search", searched), ("affine, without", started)):
    miss[name] = pb.evaluate.end_point_error(r.transform, on_its_side, space).mean().item()
    print(f"{name:22s} {miss[name]:6.2f} mm of error, status {r.status.name}")
print("the search says:", *searched.outcomes[1].notes, sep="\n  ")
assert miss["rigid, with a search"] < 0.5 < 20 < miss["affine, without"]

fig, axes = plt.subplots(1, 4, figsize=(10, 2.8))
images = [pair.fixed, pair.moving, searched.warped, started.warped]
titles = ["fixed", "moving", 'pulled back: "rigid"', 'pulled back: "affine"']
for ax, image, title in zip(axes, images, titles, strict=True):
    ax.imshow(image.numpy(), vmin=0, vmax=1)
    ax.set(title=title, xticks=[], yticks=[])
plt.show()

# %%
# Look at the status of the one that failed: descent did converge, in a valley of its own. Only a picture, labels or
# landmarks tell.
#
# What do you expect if ...
# -------------------------
#
# .. dropdown:: ... only the ring of the left ventricle were in the image?
#
#    The angle could not be known: every angle gives the same loss, H has an eigenvalue of (nearly) 0, and the
#    condition number is enormous. The shift would still be found. The cell below computes it.
#
# .. dropdown:: ... the angle started at 380 degrees instead of 20?
#
#    Nothing new: the same transform has many angles, and the loss is periodic. In three dimensions three angles have
#    worse habits (two axes can fall together), which is why pullback builds rotations as exponentials.
#
# .. dropdown:: ... the truth were affine and the model rigid?
#
#    Then the error would not fall with the noise: a model that cannot say the truth is wrong however good the images
#    are. The cell below scales the heart by 10 % without noise. Too many numbers cost variance, too few cost bias.
#
# .. dropdown:: ... the voxels were 1 x 3 mm and the rotation were done on voxel indices?
#
#    It would be a shear and a scaling, as on the scale of -1 to 1 above. Rotate in millimetres.

middle = torch.tensor([32.0, 20.0])
ring = avg_pool2d(((points - middle).norm(dim=-1) - 9).abs().lt(3).float()[None], 3, stride=1, padding=1)[0]
ratio = torch.linalg.cond(curvature((arc, 1.0, 1.0), middle, ring)).item()
print(f"a ring alone: condition number {ratio:.0f}")
assert ratio > 5 * condition["mm of arc, about the middle"]

wider = read(heart, centre + (points - centre) / 1.1)  # the answer is x -> centre + 1.1 (x - centre)
left = {}
for name, there in (
    ("rigid", in_arc(least_squares(in_arc, 3, fixed, wider), points)),
    ("affine", affine(least_squares(affine, 6, fixed, wider), points)),
):
    left[name] = (there - centre - 1.1 * (points - centre)).norm(dim=-1)[inside].mean().item()
print("a heart of 110 %:", {name: f"{value:.2f} mm" for name, value in left.items()})
assert left["rigid"] > 0.8
assert left["affine"] < 0.2
