r"""
7. Two contrasts: mutual information
====================================

On a cine image blood is bright, on a black-blood T2 image it is dark, and fat is bright on both: no gain, no offset and
no sign takes one to the other. You will count how often which brightness meets which, make a number of it that an
optimiser can climb, register cine and T2 with it by hand and with pullback, and see where it gives way.
"""

import math
import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch.nn.functional import avg_pool2d, grid_sample

import pullback as pb

# sphinx_gallery_thumbnail_number = 1

# %%
# Which brightness meets which
# ----------------------------
# The phantom draws one heart in two contrasts, at the same place. Take every pixel, look up its brightness in both
# images, and count the pairs: the **joint histogram**. Each tissue makes one cloud in it. Shift one image, and
# tissues meet that do not belong together: the clouds smear out, and new ones appear. To register is to make the
# joint histogram *sharp*, whatever it looks like.

space = pb.phantom.heart_space(shape=(96, 96), spacing=(2.8, 2.8))
cine, t2 = (pb.phantom.heart(contrast=c, space=space, bias=0).image.data[0].clamp(0, 1) for c in ("cine", "t2"))


def joint_histogram(fixed, warped, bins=32):
    """p(x, y): the share of the pixels whose brightness is in bin x of fixed and in bin y of warped."""
    x, y = ((image.flatten() * bins).long().clamp(0, bins - 1) for image in (fixed, warped))
    counts = torch.bincount(x * bins + y, minlength=bins * bins).reshape(bins, bins)
    return counts / counts.sum()


def information(p):
    """I(X; Y) of a joint distribution, in nats."""
    product = p.sum(dim=1, keepdim=True) * p.sum(dim=0, keepdim=True)
    return (p * ((p + 1e-12) / (product + 1e-12)).log()).sum()


fig, axes = plt.subplots(1, 5, figsize=(10, 2.6))
for ax, image, title in zip(axes, (cine, t2), ("cine", "T2"), strict=False):
    ax.imshow(image.numpy(), vmin=0, vmax=1)
    ax.set_title(title)
    ax.axis("off")
values = []
for ax, pixels in zip(axes[2:], (0, 2, 8), strict=True):
    p = joint_histogram(cine, t2.roll(pixels, dims=1))
    values.append(information(p).item())
    ax.imshow((1e4 * p + 1).log().T.numpy(), origin="lower", extent=(0, 1, 0, 1), cmap="magma")
    ax.set(title=f"shift {pixels * 2.8:.1f} mm\nI = {values[-1]:.2f} nats", xlabel="cine", yticks=[])
axes[2].set_ylabel("T2")
plt.show()
assert values[0] > values[1] > values[2]

# %%
# (Brightness of the histograms: logarithm of the count.) The number below each title is the **mutual information**:
# how much you know about the brightness of a T2 pixel when you are told that of the cine.
#
# Exercise
# --------
# Define the mutual information
#
# .. math::
#
#    I(X; Y) = \sum_{x} \sum_{y} p(x, y) \log \frac{p(x, y)}{p(x)\, p(y) + \epsilon}
#
# as a loss and use the affine registration of :doc:`/tutorial/04_mse_affine` on a real cine and T2 image. The steps:
# joint histogram, joint distribution, the two marginal distributions, and the formula.
#
# .. dropdown:: Hint: nothing moves
#
#    The function above counts. A count does not change when a brightness changes by very little, and then jumps: its
#    derivative is 0 or undefined, and no gradient reaches the transform. Let each pixel vote for several bins near
#    its brightness, with weights that change smoothly.
#
# .. dropdown:: Hint: in one product of matrices
#
#    Let W be the weights of all pixels, one row for each pixel and one column for each bin, for each image. Then the
#    joint histogram is the product of the transpose of one with the other.
#
# .. dropdown:: Hint: it does not arrive
#
#    Begin with small images (the mean of 4 x 4 pixels), and go on from there with 2 x 2. Count the matrix in
#    millimetres at the edge of the picture, as in :doc:`/tutorial/05_rigid`.
#
# Solution: a histogram with a slope
# ----------------------------------
# Each pixel votes by a cubic B-spline about its brightness, four bins wide: a **Parzen window**. Its weights add up
# to 1, so that every pixel still counts once.


def votes(image, bins=32):
    """(pixels, bins): how much each pixel counts in each bin; the brightness 0 to 1 fills all but two at either end."""
    place = 1.5 + image.flatten() * (bins - 4)
    d = (place[:, None] - torch.arange(bins)).abs()
    return torch.where(d < 1, 2 / 3 - d**2 + d**3 / 2, (2 - d).clamp(min=0) ** 3 / 6)


def mutual_information(fixed, warped, bins=32):
    return information(votes(fixed, bins).T @ votes(warped, bins) / fixed.numel())


p = votes(cine).T @ votes(t2) / cine.numel()
assert abs(p.sum() - 1) < 1e-5

# %%
# Move the T2 image by hundredths of a millimetre to see why this was needed.


def read(image, points):
    """The image at points from -1 to 1, the middles of its outermost pixels, linearly between the pixels."""
    return grid_sample(image[None, None], points[None], align_corners=True, padding_mode="border")[0, 0]


def unit_grid(rows, columns):
    x, y = torch.linspace(-1, 1, columns), torch.linspace(-1, 1, rows)
    return torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)


half = 95 * 2.8 / 2  # mm from the middle of the image to its last pixel
grid = unit_grid(96, 96)
small = torch.linspace(2.0, 2.3, 61, requires_grad=True)
moved = [read(t2, grid + torch.stack([s / half, torch.zeros(())])) for s in small]
hard = torch.stack([information(joint_histogram(cine, m)) for m in moved])
soft = torch.stack([mutual_information(cine, m) for m in moved])
(slope,) = torch.autograd.grad(soft.sum(), small)
numbers = ((soft[2:] - soft[:-2]) / (small[2:] - small[:-2])).detach()
print(f"hard bins: has a gradient? {hard.requires_grad};  soft bins: {soft.requires_grad}")
print(f"slope by autograd and by differences: {slope[30]:.4f}, {numbers[29]:.4f} nats/mm")
assert not hard.requires_grad
assert abs(slope[1:-1].mean() - numbers.mean()) < 0.05 * abs(numbers.mean())

fig, axes = plt.subplots(1, 2, figsize=(9, 2.8))
brightness = torch.linspace(0, 1, 400)
axes[0].plot(brightness, votes(brightness, 12)[:, 4:8].numpy())
axes[0].set(title="what a pixel gives to four of 12 bins", xlabel="brightness", ylabel="vote")
axes[1].plot(small.detach(), (hard - hard.mean()).detach(), drawstyle="steps-mid", label="hard bins")
axes[1].plot(small.detach(), (soft - soft.mean()).detach(), label="Parzen windows")
axes[1].set(title="T2 shifted by a little", xlabel="shift (mm)", ylabel="I minus its mean (nats)")
axes[1].legend()
plt.show()

# %%
# The data
# --------
# A cine and a T2 image of one patient, where the T2 image has been deformed. If the environment variable
# ``PULLBACK_DATA`` names a folder that holds ``realSCMR.npz`` (or another file with the same keys), it is read;
# otherwise the phantom makes a pair of its own, with exact truth and labels.


def real_file():
    """The first npz with C0, T2 and T2_transformed in the folder of PULLBACK_DATA, or None."""
    folder = os.environ.get("PULLBACK_DATA")
    names = ("realSCMR.npz", "derived_seedlike/seedlike_Case3006.npz")
    found = [Path(folder) / name for name in names if (Path(folder) / name).is_file()] if folder else []
    return found[0] if found else None


def scaled(image):
    """Brightness from 0 to 1; the brightest hundredth is clipped."""
    low, high = np.percentile(image, (0.5, 99))
    return torch.from_numpy(np.clip((image - low) / (high - low), 0, 1).astype(np.float32))


path = real_file()
truth = fixed_labels = moving_labels = None
if path is None:
    print("no PULLBACK_DATA, or no realSCMR.npz there: a pair of phantoms is used")
    pair = pb.phantom.heart_pair(moving_contrast="t2", space=pb.phantom.heart_space(shape=(128, 128), spacing=(2, 2)),
                                 seed=7, max_mm=4.0)  # fmt: skip
    fixed_image, moving_image, truth = pair.fixed, pair.moving, pair.truth
    fixed_labels, moving_labels = pair.fixed_labels, pair.moving_labels
else:
    data = np.load(path)
    print(f"{path.name}: {', '.join(data)}")
    spacing = tuple(data["spacing_mm"]) if "spacing_mm" in data else (1.0, 1.0)
    fixed_image = pb.Image.of(data["C0"], spacing=spacing)
    moving_image = pb.Image.of(data["T2_transformed"], spacing=spacing)
    if "label" in data:  # oedema and scar are parts of the muscle
        merge = {200: 2, 1220: 2, 2221: 2, 500: 3, 600: 1}
        fixed_labels, moving_labels = (
            pb.Labels.of(np.vectorize(lambda v: merge.get(v, 0))(data[key]), spacing=spacing)
            for key in ("label", "label_transformed")
        )
    if "disp_rowcol_px" in data:  # T2_transformed(p) = T2(p + d(p)): from its world to that of the cine; we go back
        rows, columns = data["disp_rowcol_px"]
        field = -np.stack([columns * spacing[1], rows * spacing[0]]).astype(np.float32)  # world x left, y up
        truth = pb.Displacement(torch.from_numpy(field), fixed_image.space).inverse()

fixed, moving = scaled(fixed_image.numpy()), scaled(moving_image.numpy())
rows, columns = fixed.shape
half_mm = torch.tensor(
    [(columns - 1) * fixed_image.space.spacing[1] / 2, (rows - 1) * fixed_image.space.spacing[0] / 2]
)

# %%
# Solution: cine and T2
# ---------------------
# Six numbers, all in mm: how far the matrix moves a point at the edge of the picture, and the shift.


def affine(params, points):
    """Points from -1 to 1, moved: params are mm, four for the matrix (at the edge) and two for the shift."""
    return points + (points @ params[:4].reshape(2, 2).T + params[4:]) / half_mm


def affine_register(fixed, moving, loss, levels=((4, 80), (2, 40)), rate=0.6):
    """Coarse to fine: (size of the square that is averaged, steps) for each level."""
    params, track = torch.zeros(6, requires_grad=True), []
    for size, steps in levels:
        f, m = (avg_pool2d(image[None], size)[0] for image in (fixed, moving))
        optimiser = torch.optim.Adam([params], lr=rate * size / 4)
        for _ in range(steps):
            value = loss(f, read(m, affine(params, unit_grid(*f.shape))))
            optimiser.zero_grad()
            value.backward()
            optimiser.step()
            track.append(value.item())
    return params.detach(), track


found, track = affine_register(fixed, moving, lambda f, w: -mutual_information(f, w))
by_mse, _ = affine_register(fixed, moving, lambda f, w: ((f - w) ** 2).mean())
points = unit_grid(rows, columns)
warped = read(moving, affine(found, points))
gain = [mutual_information(fixed, image).item() for image in (moving, warped)]
print(f"mutual information {gain[0]:.3f} -> {gain[1]:.3f} nats")
assert gain[1] > 1.05 * gain[0]

if path is not None:  # T2 before it was deformed: what the warped image should look like
    answer = scaled(data["T2"]).flatten()
    like = [np.corrcoef(image.flatten(), answer)[0, 1] for image in (moving, warped)]
    print(f"correlation with the T2 image that was not deformed {like[0]:.2f} -> {like[1]:.2f}")
    assert like[1] > like[0]

# %%
# How good is it? Not by the loss, but by what it did not see: the labels of the heart, and the true deformation,
# where they are known. To compare, the six numbers become a transform in the world of the images (in mm; world x
# runs to the left of the picture and y up, hence the signs).


def as_transform(params):
    linear = torch.eye(2) + params[:4].reshape(2, 2) / half_mm
    return pb.Affine.about(linear.double(), -params[4:].double(), fixed_image.space.centre)


known = fixed_labels is not None and truth is not None


def judged(name, transform):
    """Mean error in the heart in mm, and mean Dice, where labels and truth are known; NaN where not."""
    if not known:
        print(f"{name:20s} no labels and no truth with this file: look at the squares")
        return math.nan, math.nan
    inside = fixed_labels.data > 0
    error = float(pb.evaluate.end_point_error(transform, truth, fixed_image.space, inside).nanmean())
    dice = pb.evaluate.mean_dice(fixed_labels, pb.apply(transform, moving_labels, onto=fixed_image))
    print(f"{name:20s} error {error:6.2f} mm, Dice {dice:.3f}")
    return error, dice


scores = {"before": judged("before", pb.Affine.identity(2))}
scores["MI by hand"] = judged("MI, by hand", as_transform(found))
scores["MSE by hand"] = judged("MSE, by hand", as_transform(by_mse))
assert not known or scores["MI by hand"][0] < 0.6 * scores["before"][0]
assert not known or scores["MI by hand"][1] > scores["before"][1] + 0.02
assert path is None or not known or scores["MSE by hand"][0] > 2 * scores["MI by hand"][0]


def chequered(one, other, squares=8):
    y, x = np.indices(one.shape) * squares // np.array(one.shape)[:, None, None]
    return np.where((x + y) % 2, one, other)


fig, axes = plt.subplots(1, 4, figsize=(10, 2.9))
pictures = {"cine, fixed": fixed, "T2, moving": moving}
pictures["before, in squares"] = chequered(fixed.numpy(), moving.numpy())
pictures["after, in squares"] = chequered(fixed.numpy(), warped.numpy())
for ax, (title, image) in zip(axes, pictures.items(), strict=True):
    ax.imshow(np.asarray(image), vmin=0, vmax=1)
    ax.set_title(title)
    ax.axis("off")
    if known and "before" not in title:
        after = pb.apply(as_transform(found), moving_labels, onto=fixed_image)
        carried = {"cine, fixed": fixed_labels, "T2, moving": moving_labels}.get(title, after)
        ax.contour(carried.data.numpy(), levels=[0.5, 1.5, 2.5], colors="#e69f00", linewidths=0.8)
plt.show()

# %%
# The joint histograms before and after. They do not become a line, as they would for one contrast: to one brightness
# of the cine belong several of the T2. They become *sharper*.

fig, axes = plt.subplots(1, 3, figsize=(10, 3))
for ax, image, title in zip(axes, (moving, warped), ("before", "after"), strict=False):
    p = joint_histogram(fixed, image)
    ax.imshow((1e4 * p + 1).log().T.numpy(), origin="lower", extent=(0, 1, 0, 1), cmap="magma")
    ax.set(title=f"{title}: I = {information(p):.2f} nats", xlabel="cine", ylabel="T2")
axes[2].plot(track)
axes[2].set(title="the loss on its way", xlabel="step", ylabel="loss (nats)")
plt.show()

# %%
# The same with pullback
# ----------------------
# (On the phantom MSE gets by: its large bodies, fat and muscle, are as bright in one image as in the other. Give this
# page real images, by the environment variable ``PULLBACK_DATA``, and see how far off MSE ends there.) The recipe
# "affine" is what you have just built: mutual information, divided by the entropies so that a small overlap does not
# win. "cardiac-multimodal" goes on from there by descriptors of local self-similarity (MIND) and a stiff spline.

results = {name: pb.register(fixed_image, moving_image, name) for name in ("affine", "cardiac-multimodal")}
for name, result in results.items():
    scores[name] = judged(name, result.transform)
    assert result.ok
    assert not known or scores[name][0] < 0.6 * scores["before"][0]
assert not known or scores["cardiac-multimodal"][1] > scores["before"][1] + 0.02

space_ = fixed_image.space
apart = (results["affine"].transform.displace(space_) - as_transform(found).displace(space_)).norm(dim=0)
print(f"affine by hand and by pullback are {apart.mean():.2f} mm apart on average")
assert not known or apart.mean() < 3

fig, axes = plt.subplots(1, 3, figsize=(10, 3.5))
for ax, (name, result) in zip(axes, results.items(), strict=False):
    ax.imshow(chequered(fixed.numpy(), scaled(result.warped.numpy()).numpy()), vmin=0, vmax=1)
    ax.set_title(f'"{name}"')
    ax.axis("off")
length = results["cardiac-multimodal"].transform.displace(space_).norm(dim=0)
shown = axes[2].imshow(length.numpy(), cmap="viridis")
axes[2].set_title('displacement by "cardiac-multimodal"')
axes[2].axis("off")
fig.colorbar(shown, ax=axes[2], label="mm", shrink=0.8)
plt.show()

# %%
# Where it gives way
# ------------------
# **Few pixels.** A histogram of 32 x 32 bins has 1024 numbers to estimate. With few pixels it is full of holes, and
# chance looks like information: two images of nothing but *independent* noise share about
# (bins - 1)\ :sup:`2` / (2 N) nats. So a patch, a thin stack or a mask on the heart alone wants fewer bins.
#
# **Local minima, and one histogram for all.** A coil that shades one image makes one tissue look like many, and the
# histogram mixes what is true on the left with what is true on the right. Below, T2 is shaded as in
# :doc:`/tutorial/06_ncc` and shifted along x with everything else right. The valley of mutual information keeps its
# place, but little of its depth, and there are false ones 20 mm away; with more than a shift to find, descent was
# lost there. A histogram for each part of the image helps.
#
# MIND looks at something else: how alike a pixel is to its neighbours, described at each pixel in both images. Edges
# and textures survive a change of contrast, and being local it survives shading, too. Its price is its reach: it
# says little about a shift of several patches.

from pullback.energy import MIND, MutualInformation, RegionalMutualInformation

generator = torch.Generator().manual_seed(7)
counts = (100, 300, 1000, 3000, 10000)
chance = {
    bins: [
        information(joint_histogram(*torch.rand(2, n, generator=generator), bins)).item() for n in counts
    ]
    for bins in (8, 32)
}  # fmt: skip
ramp = torch.linspace(-1, 1, 96)[None, :]
shaded = t2 * torch.exp(1.3 * ramp) + 0.5 * ramp
shaded = (shaded - shaded.min()) / (shaded.max() - shaded.min())
shifts = torch.arange(-30.0, 30.1, 1.5)


def walk(measure, image):
    """The loss of cine and an image that is shifted along x."""
    there = [read(image, grid + torch.tensor([s / half, 0.0]))[None, None] for s in shifts]
    return np.array([measure.loss(cine[None, None], w).item() for w in there])


measures = {"mutual information": MutualInformation(), "the same, in 3 parts": RegionalMutualInformation(parts=3)}
measures["MIND"] = MIND()
fig, axes = plt.subplots(1, 3, figsize=(10, 3.2))
for k, (bins, found_by_chance) in enumerate(chance.items()):
    axes[0].loglog(counts, found_by_chance, "o", color=f"C{k}", label=f"{bins} bins")
    axes[0].loglog(counts, [(bins - 1) ** 2 / (2 * n) for n in counts], ":", color=f"C{k}")
axes[0].set(title="information in independent noise", xlabel="pixels", ylabel="I (nats)", ylim=(1e-3, 20))
axes[0].legend()
depth = {}
for ax, (title, image) in zip(axes[1:], {"cine and T2": t2, "cine and shaded T2": shaded}.items(), strict=True):
    for k, (name, measure) in enumerate(measures.items()):
        loss = walk(measure, image)
        low = np.flatnonzero((loss[1:-1] < loss[:-2]) & (loss[1:-1] < loss[2:])) + 1
        depth[title, name] = loss.max() - loss.min()
        assert abs(shifts[np.argmin(loss)]) < 2
        ax.plot(shifts, loss - loss.max(), color=f"C{k}", label=name)
        ax.plot(shifts[low], (loss - loss.max())[low], "o", ms=4, color=f"C{k}")
    ax.set(title=title, xlabel="shift from the truth (mm)")
axes[1].sharey(axes[2])
axes[1].set_ylabel("loss, below its highest")
axes[2].legend(loc="lower left")
plt.show()

left = {name: depth["cine and shaded T2", name] / depth["cine and T2", name] for name in measures}
print("shading leaves of the depth:", {name: f"{share:.0%}" for name, share in left.items()})
assert left["mutual information"] < 0.6 * left["MIND"]
assert abs(chance[8][-1] - 49 / 20000) < 0.001
assert chance[32][0] > 1

# %%
# What do you expect if ...
# -------------------------
#
# .. dropdown:: ... one of the images is replaced by its negative?
#
#    Nothing: the rows of the joint histogram change places, and the sum does not care. Any one-to-one change of
#    brightness leaves the mutual information as it was. The cell below checks it.
#
# .. dropdown:: ... both images are the same?
#
#    Then I(X; X) is the entropy of the image, the largest value there is for it: not 1. That is one reason to divide
#    it by the entropies. Checked below.
#
# .. dropdown:: ... there were two bins?
#
#    Then images are cut into dark and bright, which for cine and T2 keeps the body apart from the air and little
#    more. With 256 bins and 9216 pixels, most of the information would be chance. 32 to 64 are usual.
#
# .. dropdown:: ... half of the moving image left the field of view?
#
#    I is computed from what is left, and may even rise when what is left is varied: a known trap of the plain form.
#    The normalised one suffers less. pullback counts only pixels that both images hold, and says ``no_overlap``
#    where too few are left.

same = information(joint_histogram(cine, t2))
negative = information(joint_histogram(cine, (1 - t2).clamp(0, 1)))
assert abs(same - negative) < 0.02
own = joint_histogram(cine, cine)
entropy = -(own.diagonal() * (own.diagonal() + 1e-12).log()).sum()
assert abs(information(own) - entropy) < 1e-4
