"""
1. A heart, and where it is
===========================

Registration finds, for every place in one image, the same place in another. So this page makes an image to play with,
a heart of two circles and an ellipse, and then asks what is easily skipped: *where* is it? You learn how an array of
numbers becomes an image of a patient (spacing, origin, direction), how to go from a voxel to millimetres and back by
hand, and why two scans of one heart agree in millimetres and not in pixels.
"""

# %%
# A heart by hand
# ---------------
#
# A short-axis slice cuts the heart across. The **left ventricle** (LV) is a thick ring, its muscle around its blood;
# the **right ventricle** (RV) leans against it like a crescent with a thin wall. Two circles and half an elliptic
# ring are enough for a drawing of 40 rows and 64 columns, 1 in the muscle and 0 elsewhere:

import matplotlib.pyplot as plt
import numpy as np
import torch

import pullback as pb

plt.rcParams.update({"image.cmap": "gray", "figure.constrained_layout.use": True})

image_size = (40, 64)  # rows, columns
center = (20, 32)
lv_inner, lv_outer = 6, 12  # radii in pixels
rv_inner, rv_outer = (9, 16), (12, 20)  # half axes along rows and columns

row, column = np.mgrid[0 : image_size[0], 0 : image_size[1]]
y, x = row - center[0], column - center[1]  # pixels from the middle of the left ventricle, down and to the right

lv_wall = (x**2 + y**2 <= lv_outer**2) & (x**2 + y**2 > lv_inner**2)
rv_wall = (y / rv_outer[0]) ** 2 + (x / rv_outer[1]) ** 2 <= 1
rv_wall &= (y / rv_inner[0]) ** 2 + (x / rv_inner[1]) ** 2 > 1
rv_wall &= x < 0  # only the left half of the picture
heart_mask = (lv_wall | rv_wall).astype(float)

# %%
# An array is addressed by **(row, column)**: the row counts downwards, the column to the right, and pixel (0, 0) is
# the one in the upper left corner. Its *centre* is at (0, 0); the pixel reaches from -0.5 to 0.5.

t = np.linspace(0, 2 * np.pi, 200)
half = np.linspace(np.pi / 2, 3 * np.pi / 2, 100)
fig, axes = plt.subplots(1, 2, figsize=(9.5, 3.4))
for axis in axes:
    axis.imshow(heart_mask)
    axis.set(xlabel="column", ylabel="row")
axes[0].set_title("two circles and half an elliptic ring")
for radius in (lv_inner, lv_outer):
    axes[0].plot(center[1] + radius * np.cos(t), center[0] + radius * np.sin(t), color="#e69f00")
for a, b in (rv_inner, rv_outer):
    axes[0].plot(center[1] + b * np.cos(half), center[0] + a * np.sin(half), color="#56b4e9")
axes[1].set_title("what is what")
axes[1].text(32, 20, "LV\nblood", color="white", ha="center", va="center", fontsize=8)
axes[1].text(32, 11, "LV muscle", color="black", ha="center", va="center", fontsize=8)
for name, there, label in (("RV wall", (15.5, 12.5), (2, 5)), ("RV blood", (18, 20), (1, 27))):
    axes[1].annotate(
        name, there, label, color="#56b4e9", fontsize=8, arrowprops={"arrowstyle": "->", "color": "#56b4e9"}
    )
axes[1].plot(44, 20, "+", color="#d55e00", markersize=10)
axes[1].text(45.5, 20, "pixel (20, 44)", color="#e69f00", va="center", fontsize=8)
plt.show()

# %%
# This heart accompanies the whole tutorial, so it comes with pullback:

heart = pb.phantom.short_axis()
assert np.array_equal(heart.numpy(), heart_mask)
print(heart)

# %%
# From pixels to millimetres
# --------------------------
#
# What was printed says more than the array knew: voxels of 1 x 1 mm. A patient is measured in millimetres, so every
# medical image carries, beside its numbers, a small matrix that says where they are. In pullback an ``Image`` is an
# array with a ``Space``, and the matrix takes a **voxel index to a point of the world in mm**:

np.set_printoptions(precision=3, suppress=True)
matrix = heart.space.matrix.numpy()
print(matrix)

# %%
# Read its columns. The first is what one step along the rows does (down by one row: 1 mm towards *minus* y), the
# second what one step along the columns does (1 mm towards *minus* x), the third is the place of voxel (0, 0). Files
# of other programs keep the same facts under three names, and you can read them off the matrix:
#
# - **spacing**: the lengths of the first columns, the distance between the centres of neighbouring voxels,
# - **direction**: these columns divided by their lengths, which way the rows and columns of the array run,
# - **origin**: the last column, the place of the centre of the first voxel.

steps = matrix[:2, :2]
spacing = np.linalg.norm(steps, axis=0)
direction = steps / spacing
origin = matrix[:2, 2]
print("spacing", spacing, "mm, origin", origin, "mm, direction", direction.tolist())
assert np.allclose(spacing, heart.space.spacing)

# %%
# Why the minus signs? World coordinates are **RAS+**: x grows towards the patient's *right*, y to the front
# (anterior), z to the head (superior). Pictures are drawn as if we stood at the patient's feet and looked up: the
# patient's right is on our left. So a step to the right *in the picture* is a step to the patient's left, towards
# minus x. An array that comes without any geometry, like ours, is placed in just this way (so does ITK).
#
# With the matrix, voxel to millimetres is one product. The middle of the left ventricle is voxel (20, 32):

voxel = np.array([20, 32, 1])  # a 1 at the end, so that the matrix can also add the origin
world = matrix @ voxel
back = np.linalg.inv(matrix) @ world
print("voxel (20, 32) is at", world[:2], "mm; and back:", back[:2])
assert np.allclose(world[:2], heart.space.to_world(torch.tensor([20.0, 32.0])))
assert np.allclose(back, voxel)

# %%
# Another scan of the same heart
# ------------------------------
#
# A scanner looks at the *patient* and not at an array. Let us be the scanner: a function that knows whether a point
# of the world (in mm) is muscle, and a grid of points to ask at. Our heart in world coordinates is the same two
# circles and ellipse about the point that we have just computed:


def is_muscle(points):
    """1 where a world point (..., 2) in mm lies in the muscle, else 0."""
    left, down = -(points[..., 0] - world[0]), -(points[..., 1] - world[1])  # mm from the middle of the LV
    radius = np.hypot(left, down)
    inner = np.hypot(down / rv_inner[0], left / rv_inner[1])
    outer = np.hypot(down / rv_outer[0], left / rv_outer[1])
    lv = (radius <= lv_outer) & (radius > lv_inner)
    rv = (outer <= 1) & (inner > 1) & (left < 0)
    return (lv | rv).astype(float)


assert np.array_equal(is_muscle(heart.space.grid().numpy()), heart_mask)

# %%
# The second scan is coarser (1.4 mm), has another number of voxels, and the operator turned the field of view by 25
# degrees. All of that is its matrix, and nothing else is: the patient did not move.

angle = np.deg2rad(25)
turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
coarse_steps = 1.4 * turn @ steps
coarse_shape = (36, 40)
coarse_middle = (np.array(coarse_shape) - 1) / 2
coarse_origin = np.array([-30.0, -20.0]) - coarse_steps @ coarse_middle  # so that its middle is at (-30, -20) mm
coarse_space = pb.Space(coarse_shape, np.vstack([np.column_stack([coarse_steps, coarse_origin]), [0, 0, 1]]))

coarse = pb.Image.of(is_muscle(coarse_space.grid().numpy()), space=coarse_space)
print(coarse)

# %%
# Laid over each other as arrays, the two do not fit. Drawn where their matrices say, they do. No registration was
# needed: the second scan is already *aligned*, it is only *sampled* in another way. (More on this in
# :doc:`/concepts`.)

orange, blue = "#d55e00", "#0072b2"
fig, axes = plt.subplots(1, 3, figsize=(10, 3.5), width_ratios=[1, 1, 1.15])
axes[0].imshow(coarse.numpy())
axes[0].set(title="the second scan, as an array", xlabel="column", ylabel="row")
for image, colour, name in ((heart, blue, "first scan"), (coarse, orange, "second scan")):
    axes[1].contour(image.numpy(), [0.5], colors=colour, linewidths=1.3)
    xy = image.space.grid().numpy()
    axes[2].contour(xy[..., 0], xy[..., 1], image.numpy(), [0.5], colors=colour, linewidths=1.3)
    rim = image.space.to_world(
        torch.tensor([[0.0, 0], [0, 1], [1, 1], [1, 0], [0, 0]]) * (torch.tensor(xy.shape[:2]) - 1)
    )
    axes[2].plot(rim[:, 0], rim[:, 1], color=colour, linewidth=0.8, linestyle="--", label=name)
axes[1].set(
    title="both by their pixels: wrong", xlabel="column", ylabel="row", aspect="equal", ylim=(39, 0), xlim=(0, 63)
)
axes[2].set(
    title="both in mm: right", xlabel="x, mm (to the patient's right)", ylabel="y, mm (to the front)", aspect="equal"
)
axes[2].set(xlim=(12, -72), ylim=(-58, 26))
axes[2].legend(loc="upper right", ncols=2)
plt.show()

# %%
# In numbers: the middle of the muscle, as the mean of the places of its voxels.


def middle_of(image, places):
    """The mean of places (rows, columns, 2), each weighted by the image."""
    weight = image.numpy()[..., None]
    return (places * weight).sum((0, 1)) / weight.sum()


def indices(image):
    """The (row, column) of every pixel."""
    return np.moveaxis(np.mgrid[tuple(slice(n) for n in image.space.shape)], 0, -1)


apart_pixels = np.linalg.norm(middle_of(heart, indices(heart)) - middle_of(coarse, indices(coarse)))
apart_mm = np.linalg.norm(middle_of(heart, heart.space.grid().numpy()) - middle_of(coarse, coarse_space.grid().numpy()))
print(f"the two middles are {apart_pixels:.1f} apart in pixels, and {apart_mm:.2f} apart in mm")
assert apart_pixels > 8
assert apart_mm < 0.3

# %%
# Exercise
# --------
#
# Bring the second scan onto the grid of the first, so that both can be subtracted as arrays: for every voxel of the
# first grid, find the nearest voxel of the second scan, and take its value (0 where there is none). Use numpy and the
# two matrices only.
#
# .. dropdown:: Hint
#
#    A voxel of the first grid has a place in mm (first matrix). That place has an index in the second scan (*inverse*
#    of the second matrix). Both steps are one product of two matrices. Note the direction: you start from the grid
#    that you want to *fill*.
#
# Solution
# --------
#
# From a voxel of the first scan to a voxel of the second: first into the world, then out of it again.

first_to_second = np.linalg.inv(coarse_space.matrix.numpy()) @ matrix
asked = indices(heart) @ first_to_second[:2, :2].T + first_to_second[:2, 2]
nearest = np.floor(asked + 0.5).astype(int)
inside = ((nearest >= 0) & (nearest < np.array(coarse_shape))).all(-1)

by_hand = np.zeros(image_size)
by_hand[inside] = coarse.numpy()[nearest[inside, 0], nearest[inside, 1]]

# %%
# Filling a grid by asking, for each of its voxels, where to look is called **pull-back**; it is what pullback is
# named after, and the next page (:doc:`/tutorial/02_subpixel`) is all about it. In one line, with "nobody moved" (the
# identity) as the transform:

identity = pb.Affine.identity(2)
resampled = pb.apply(identity, coarse, onto=heart, interpolation="nearest")
assert np.array_equal(resampled.numpy(), by_hand)

smooth = pb.apply(identity, coarse, onto=heart, interpolation="linear")
fig, axes = plt.subplots(1, 3, figsize=(10, 2.5))
pictures = (
    (by_hand, "nearest voxel"),
    (smooth.numpy(), "linear"),
    (smooth.numpy() - heart_mask, "linear, minus the first scan"),
)
for axis, (picture, title) in zip(axes, pictures, strict=True):
    difference = "minus" in title
    shown = axis.imshow(picture, cmap="RdBu_r" if difference else "gray", vmin=-1 if difference else 0, vmax=1)
    axis.set(title=title, xlabel="column", ylabel="row")
fig.colorbar(shown, ax=axes[2], shrink=0.8)
plt.show()

unlike = np.abs(by_hand - heart_mask).mean()
print(f"{100 * unlike:.1f} % of the pixels differ: the steps of the coarse grid along the borders")
assert unlike < 0.1

# %%
# Richer hearts
# -------------
#
# Later pages need more than a drawing. ``pb.phantom.heart`` is a heart in a chest, with texture, noise and the
# shading of a coil, in two contrasts: as **cine** (bright blood) and as **T2**-weighted image (dark blood). It knows
# its labels and can beat (``phase``). Like our own scanner above it is a formula that is asked at the voxels of a
# grid, so that there is an exact answer to every question that we are going to ask.

cine = pb.phantom.heart()
t2 = pb.phantom.heart(contrast="t2")
systole = pb.phantom.heart(phase=0.36)
print(cine.image, cine.labels.values)

extent = [0, 192 * 1.4, 192 * 1.4, 0]
fig, axes = plt.subplots(1, 3, figsize=(10, 3.6))
pictures = (cine, "cine, end of diastole"), (systole, "cine, end of systole"), (t2, "T2-weighted")
for axis, (phantom, title) in zip(axes, pictures, strict=True):
    axis.imshow(phantom.image.numpy(), extent=extent, vmin=0, vmax=1)
    labels = np.ma.masked_equal(phantom.labels.numpy(), 0)
    axis.contour(phantom.labels.numpy() == 3, [0.5], colors="#e69f00", linewidths=1, extent=extent)
    axis.contour(phantom.labels.numpy() >= 2, [0.5], colors="#009e73", linewidths=1, extent=extent)
    axis.contour(phantom.labels.numpy() == 1, [0.5], colors="#56b4e9", linewidths=1, extent=extent)
    axis.set(title=title, xlabel="mm", xlim=(50, 220), ylim=(220, 50))
axes[0].set_ylabel("mm")
plt.show()

# %%
# Label 1 is the blood of the right ventricle, 2 the muscle of the left one, 3 its blood. The same tissue is bright in
# one contrast and dark in the other, and the cavity shrinks when the heart contracts:

blood = cine.labels.numpy() == 3
print(f"LV blood: {cine.image.numpy()[blood].mean():.2f} in the cine, {t2.image.numpy()[blood].mean():.2f} in T2")
area = [float((p.labels.data == 3).sum()) * 1.4**2 / 100 for p in (cine, systole)]
print(f"LV cavity: {area[0]:.1f} cm2 at the end of diastole, {area[1]:.1f} cm2 at the end of systole")
assert cine.labels.values == (1, 2, 3)
assert cine.image.numpy()[blood].mean() > 0.6 > 0.3 > t2.image.numpy()[blood].mean()
assert area[1] < 0.7 * area[0]

# %%
# What do you expect if ...
# -------------------------
#
# .. dropdown:: ... the header of the first scan says 2 mm instead of 1 mm?
#
#    The array, and its picture in pixels, are the same; the *heart* is twice as wide. A registration of it with the
#    second scan must now find a scaling by two. A wrong spacing is the most common reason for an "impossible"
#    registration.
#
# .. dropdown:: ... somebody mirrors the array, ``heart_mask[:, ::-1]``, and keeps the matrix?
#
#    The file now says that the patient's right ventricle is on the left. Nothing in it looks wrong, and no rotation
#    repairs it. Who turns the data over must turn the matrix too: ``space.flip(1)`` belongs to ``data.flip(1)``.
#
# .. dropdown:: ... two scans have the same shape and spacing, but different origins?
#
#    Their arrays can be subtracted, but should not be: equal pixels are not equal places. Ask
#    ``first.space.same_as(second.space)`` before doing arithmetic with arrays.
#
# .. dropdown:: ... an image is resampled onto a finer grid?
#
#    It gets more voxels, not more information: ``smooth`` above has 1 mm voxels and still the borders of a 1.4 mm
#    scan.
#
# The first three, checked:

wide = pb.Image.of(heart_mask, spacing=2.0)
assert wide.space.extent == tuple(2 * n for n in heart.space.extent)

mirrored = pb.Image(heart.data.flip(2), heart.space)
careful = pb.Image(heart.data.flip(2), heart.space.flip(1))
as_before = pb.apply(identity, careful, onto=heart).numpy()
assert np.allclose(as_before, heart_mask, atol=1e-6)
assert not np.allclose(pb.apply(identity, mirrored, onto=heart).numpy(), heart_mask)

shifted_origin = heart.space.crop((0, 5), (40, 69))  # five columns further on
assert shifted_origin.shape == heart.space.shape
assert not shifted_origin.same_as(heart.space)
