"""
2. Moving an image by parts of a pixel
======================================

To register is to move an image until it fits, and it never fits by whole pixels. You learn to translate an image by
hand with nearest, linear and cubic interpolation; why images are *pulled back* and not pushed; what is lost each time
an image is read between its pixels; and two traps of indexing that have cost everybody in this field an afternoon.
"""

# %%
# Pull-back: ask where each new pixel comes from
# ----------------------------------------------
#
# We want to move the heart of :doc:`/tutorial/01_heart_phantom` by 2.4 rows and 7.6 columns. It is tempting to take
# each pixel and put it where it belongs, but 2.4 rows further there is no pixel. So the question is turned round: for
# every pixel of the *new* image, where in the *old* one does it come from? There we read.
#
# .. math::  \text{warped}(x) = \text{moving}(x + \text{shift})
#
# The position is not a whole number. The cheapest answer is the nearest pixel, and ``padding_value`` outside:

# sphinx_gallery_thumbnail_number = 7
import matplotlib.pyplot as plt
import numpy as np
import torch
from torch.nn.functional import affine_grid, grid_sample

import pullback as pb

plt.rcParams.update({"image.cmap": "gray", "figure.constrained_layout.use": True})

heart = pb.phantom.short_axis()
heart_mask = heart.numpy().astype(float)
rows, columns = heart_mask.shape

shift_row, shift_column = 2.4, -7.6
padding_value = 0

nearest = np.zeros(heart_mask.shape)
for row in range(rows):
    for column in range(columns):
        old_row = int(np.floor(row + shift_row + 0.5))
        old_column = int(np.floor(column + shift_column + 0.5))
        if 0 <= old_row < rows and 0 <= old_column < columns:
            nearest[row, column] = heart_mask[old_row, old_column]
        else:
            nearest[row, column] = padding_value

# %%
# Mind the direction: we look 2.4 rows further *down*, so the heart moves *up*. In the same way -7.6 columns move it
# to the right. A transform tells where to look; the picture goes the other way.

fig, axes = plt.subplots(1, 2, figsize=(9.5, 3.5), sharey=True)
for axis, picture, title in zip(
    axes, (heart_mask, nearest), ("moving", "warped: read at the nearest pixel"), strict=True
):
    axis.imshow(picture)
    axis.set(title=title, xlabel="column")
axes[0].set_ylabel("row")
axes[1].plot(32, 20, "o", markerfacecolor="none", color="#e69f00")
axes[1].annotate("", (32 + shift_column, 20 + shift_row), (32, 20), arrowprops={"arrowstyle": "->", "color": "#e69f00"})
axes[1].text(1, 24, "pixel (20, 32)\nlooks there", color="#e69f00", fontsize=8)
plt.show()

# %%
# Linear interpolation
# --------------------
#
# Between four pixels, mix them: with the fractions :math:`r` and :math:`c` of the position beyond the pixel above and
# to the left, they weigh :math:`(1-r)(1-c)`, :math:`(1-r)\,c`, :math:`r\,(1-c)` and :math:`r\,c`.
#
# Exercise
# --------
#
# Below is a loop of the kind found in lecture notes. It looks right, and it has **two mistakes**. Find them. The
# first shows in the picture; for the second you need another test image than the heart: which one, and why does the
# heart hide it?

translated = nearest.copy()  # what the array holds after the section before

for row in range(rows):
    for column in range(columns):
        old_row = int(np.floor(row + shift_row))
        old_column = int(np.floor(column + shift_column))
        r = row + shift_row - old_row
        c = column + shift_column - old_column
        for a, b in ((0, 0), (0, 1), (1, 0), (1, 1)):
            weight = abs(1 - a - r) * abs(1 - b - c)
            if 0 <= old_row + a < rows and 0 <= old_column + b < columns:
                translated[row, column] += heart_mask[old_row + a, old_column + b] * weight
            else:
                translated[row, column] = padding_value * weight

fig, axis = plt.subplots(figsize=(5, 2.9))
shown = axis.imshow(translated)
axis.set(title="what is wrong?", xlabel="column", ylabel="row")
fig.colorbar(shown, ax=axis)
plt.show()

# %%
# .. dropdown:: Hint
#
#    What is the largest value that a weighted mean of zeros and ones can have, and what does the colour bar say? For
#    the second mistake follow one pixel near the border of an image that is 1 everywhere, corner by corner.
#
# Solution
# --------
#
# First, ``+=`` adds to whatever the array held before, here the result of the nearest pixel: values up to 2. The
# array must start from zero. Second, when a corner lies outside, ``=`` throws away what the corners before it have
# contributed; it must be ``+=`` as well. Around our heart everything is 0 and so is the padding: nothing there to
# throw away. On an image of ones it shows.


def translate_linear(image, shift, padding_value=0.0):
    """The image read at (row, column) + shift, between the four pixels around."""
    warped = np.zeros(image.shape)
    for row, column in np.ndindex(image.shape):
        old_row, old_column = int(np.floor(row + shift[0])), int(np.floor(column + shift[1]))
        r, c = row + shift[0] - old_row, column + shift[1] - old_column
        for a, b in ((0, 0), (0, 1), (1, 0), (1, 1)):
            inside = 0 <= old_row + a < image.shape[0] and 0 <= old_column + b < image.shape[1]
            value = image[old_row + a, old_column + b] if inside else padding_value
            warped[row, column] += value * abs(1 - a - r) * abs(1 - b - c)
    return warped


linear = translate_linear(heart_mask, (shift_row, shift_column))
print(f"with the mistakes: values up to {translated.max():.2f}; without: up to {linear.max():.2f}")
assert np.isclose(translated.max(), 2)
assert np.isclose(linear.max(), 1)


def with_second_mistake(image, shift):
    """The same, but a corner outside throws away those before it."""
    warped = np.zeros(image.shape)
    for row, column in np.ndindex(image.shape):
        old_row, old_column = int(np.floor(row + shift[0])), int(np.floor(column + shift[1]))
        r, c = row + shift[0] - old_row, column + shift[1] - old_column
        for a, b in ((0, 0), (0, 1), (1, 0), (1, 1)):
            inside = 0 <= old_row + a < image.shape[0] and 0 <= old_column + b < image.shape[1]
            value = image[old_row + a, old_column + b] if inside else 0.0
            warped[row, column] = value * abs(1 - a - r) * abs(1 - b - c) + inside * warped[row, column]
    return warped


ones = np.ones((12, 16))
right, wrong = translate_linear(ones, (1.4, -2.6)), with_second_mistake(ones, (1.4, -2.6))
unseen = with_second_mistake(heart_mask, (shift_row, shift_column)) - linear
print(f"row 5, column 2: {right[5, 2]:.2f} is right, {wrong[5, 2]:.2f} with the mistake")
assert np.abs(unseen).max() == 0  # the heart hides it
assert np.isclose(right[5, 2], 0.4)
assert np.isclose(wrong[5, 2], 0.16)

fig, axes = plt.subplots(1, 3, figsize=(10, 2.8), width_ratios=[1.25, 1, 1])
axes[0].imshow(linear)
axes[0].set(title="the heart, translated linearly", xlabel="column", ylabel="row")
for axis, picture, title in zip(axes[1:], (right, wrong), ("ones: right", "ones: second mistake"), strict=True):
    shown = axis.imshow(picture, vmin=0, vmax=1)
    axis.set(title=title, xlabel="column")
fig.colorbar(shown, ax=axes[1:], label="value")
plt.show()

# %%
# Every interpolation is a weighted sum
# -------------------------------------
#
# In one dimension, reading at a position :math:`p` is a sum of the old values :math:`f_k` with weights that depend
# only on how far away each one is: :math:`\sum_k f_k\, \phi(p - k)`. The function :math:`\phi`, the **kernel**, is
# all that tells one interpolation from another:


def box(t):
    """Nearest pixel: halves go up."""
    return ((t >= -0.5) & (t < 0.5)).astype(float)


def hat(t):
    """Linear."""
    return np.maximum(0, 1 - np.abs(t))


def keys(t):
    """Cubic convolution (Keys 1981), also called Catmull-Rom."""
    t = np.abs(t)
    near, far = 1.5 * t**3 - 2.5 * t**2 + 1, -0.5 * t**3 + 2.5 * t**2 - 4 * t + 2
    return np.where(t < 1, near, np.where(t < 2, far, 0))


def bump(t):
    """Cubic B-spline: smooth, but not 1 at 0."""
    t = np.abs(t)
    return np.where(t < 1, 2 / 3 - t**2 + t**3 / 2, np.where(t < 2, np.maximum(0, 2 - t) ** 3 / 6, 0))


# %%
# So the reading of a whole line is a matrix: one row for each position, one column for each old value. A pixel has a
# size, so within half a pixel beyond an end that end is read, and nothing farther out. Kernels that reach over an end
# see the line mirrored there. (The loop above mixed in the padding value instead. Borders are a matter of choice;
# :doc:`/tutorial/03_rotation` compares three.)


def reading(at, n, kernel):
    """The matrix (positions, n) that reads a line of n values at the positions `at`."""
    matrix, inside = np.zeros((len(at), n)), (at >= -0.5) & (at < n - 0.5)
    position = np.clip(at, 0, n - 1)
    for step in range(-1, 3):
        k = np.floor(position).astype(int) + step
        mirrored = (n - 1) - np.abs((n - 1) - np.abs(k))
        np.add.at(matrix, (np.arange(len(at)), mirrored), kernel(position - k))
    return matrix * inside[:, None]


# %%
# The B-spline needs one step more. Its kernel mixes neighbours even at the pixels themselves (weights 1/6, 2/3, 1/6),
# so the sum of kernels would blur. The cure: do not weight the old values but *coefficients*, chosen so that the sum
# meets the old values at the pixels. That is one linear system (Unser 1999):


def reading_spline(at, n):
    """The same by cubic B-splines that pass through the values."""
    at_pixels = reading(np.arange(n), n, bump)  # coefficients -> values at the pixels
    return reading(at, n, bump) @ np.linalg.inv(at_pixels)


n = 24
line = np.zeros(n)
line[8:16] = 1  # a wall
fine = np.linspace(4, 20, 641)
curves = {
    "nearest": reading(fine, n, box) @ line,
    "linear": reading(fine, n, hat) @ line,
    "cubic (Keys)": reading(fine, n, keys) @ line,
    "cubic (B-spline)": reading_spline(fine, n) @ line,
}
impulse = np.eye(n)[12]

fig, axes = plt.subplots(1, 2, figsize=(10, 3.2))
for name, kernel in {"nearest": box, "linear": hat, "cubic (Keys)": keys}.items():
    axes[0].plot(fine - 12, kernel(fine - 12), label=name)
axes[0].plot(fine - 12, reading_spline(fine, n) @ impulse, label="cubic (B-spline, through the values)")
axes[0].set(
    title="one bright pixel, read everywhere: the kernel", xlabel="distance, pixels", xlim=(-4, 4), ylim=(-0.25, 1.8)
)
axes[0].legend(loc="upper left")
for name, curve in curves.items():
    axes[1].plot(fine, curve, label=name)
axes[1].plot(np.arange(4, 21), line[4:21], "k.", label="pixels")
axes[1].set(title="a wall: cubic interpolation overshoots", xlabel="position, pixels", xlim=(5, 19))
plt.show()

# %%
# Linear stays between its neighbours. Cubic kernels have negative parts; that makes edges sharp, and next to an edge
# values fall below and rise above everything that the image holds: the **overshoot**.

for name, curve in curves.items():
    print(f"{name:17} from {curve.min():+.3f} to {curve.max():+.3f}")
assert curves["linear"].max() <= 1 + 1e-12
assert 1.05 < curves["cubic (Keys)"].max() < 1.1
assert 1.08 < curves["cubic (B-spline)"].max() < 1.2

# %%
# In two dimensions the kernel is a product, so read along the columns of the image and then along its rows. That
# makes the translation of an image two matrix products, and it agrees with the loops above:


def translate(image, shift, matrix_for):
    """The image read at (row, column) + shift, one axis after the other."""
    down, across = (matrix_for(np.arange(n) + s, n) for s, n in zip(shift, image.shape, strict=True))
    return down @ image @ across.T


by_hand = {
    "nearest": translate(heart_mask, (shift_row, shift_column), lambda at, n: reading(at, n, box)),
    "linear": translate(heart_mask, (shift_row, shift_column), lambda at, n: reading(at, n, hat)),
    "cubic": translate(heart_mask, (shift_row, shift_column), reading_spline),
}
assert np.allclose(by_hand["nearest"], nearest)
assert np.allclose(by_hand["linear"], linear)

# %%
# The same with pullback
# ----------------------
#
# A pullback ``Transform`` takes points of the fixed image to points of the moving one, **in mm of the world**. Rows
# run towards minus y and columns towards minus x (:doc:`/tutorial/01_heart_phantom`), so a look 2.4 rows further down
# and 7.6 columns to the left is a shift of (x, y) = (+7.6, -2.4) mm. The matrix of the image says so:

step = heart.space.linear @ torch.tensor([shift_row, shift_column], dtype=torch.float64)
print("shift in mm:", step.tolist())
shift = pb.Affine.translation(step)

for name, expected in by_hand.items():
    warped = pb.apply(shift, heart, onto=heart, interpolation=name).numpy()
    print(f"{name:8} largest difference from ours: {np.abs(warped - expected).max():.1e}")
    assert np.abs(warped - expected).max() < 1e-5  # pullback reads in single precision

fig, axes = plt.subplots(1, 3, figsize=(10, 2.8), sharey=True)
for axis, (name, picture) in zip(axes, by_hand.items(), strict=True):
    shown = axis.imshow(picture, vmin=-0.15, vmax=1.15)
    axis.set(title=f"{name}: {picture.min():.2f} to {picture.max():.2f}", xlabel="column")
axes[0].set_ylabel("row")
fig.colorbar(shown, ax=axes, label="value", shrink=0.9)
plt.show()

# %%
# (Names are not settled among programs: "cubic" is the B-spline in pullback, ITK and scipy, and a cubic convolution
# in torch, there with -0.75 in place of the -0.5 of Keys.)
#
# Why not push?
# -------------
#
# The other way, pushing each pixel to the nearest place in the new image, leaves **holes** where nobody arrives, and
# collisions where two do (here the last one wins). Turn the heart by 25 degrees and enlarge it by 1.1, both ways:

angle = np.deg2rad(25)
turn = 1.1 * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
middle = np.array([20.0, 32.0])
places = np.moveaxis(np.mgrid[:rows, :columns], 0, -1)

there = np.floor((places - middle) @ turn.T + middle + 0.5).astype(int)  # where each old pixel goes
arrives = ((there >= 0) & (there < (rows, columns))).all(-1)
pushed, arrivals = np.zeros(heart_mask.shape), np.zeros(heart_mask.shape, dtype=int)
pushed[there[arrives][:, 0], there[arrives][:, 1]] = heart_mask[arrives]
np.add.at(arrivals, (there[arrives][:, 0], there[arrives][:, 1]), 1)

asked = np.floor((places - middle) @ np.linalg.inv(turn).T + middle + 0.5).astype(int)  # where each new pixel looks
found = ((asked >= 0) & (asked < (rows, columns))).all(-1)
pulled = np.zeros(heart_mask.shape)
pulled[found] = heart_mask[asked[found][:, 0], asked[found][:, 1]]

holes = (arrivals == 0) & found
print(
    f"{holes.sum()} holes, {100 * holes.sum() / found.sum():.0f} % of the new image; {(arrivals > 1).sum()} collisions"
)
assert holes.sum() > 0.1 * found.sum()
assert (arrivals > 1).sum() > 0

fig, axes = plt.subplots(1, 2, figsize=(9.5, 3.5), sharey=True)
axes[0].imshow(np.dstack([np.where(holes, colour, pushed) for colour in (0.84, 0.37, 0.0)]))
axes[0].set(title="pushed forward: holes in orange", xlabel="column", ylabel="row")
axes[1].imshow(pulled)
axes[1].set(title="pulled back: every pixel has exactly one value", xlabel="column")
plt.show()

# %%
# Read once
# ---------
#
# Reading between pixels costs something each time. Take a cine slice, move it by half a pixel there and back again,
# twelve times. At the end nothing has moved, and every difference is damage:

slice_space = pb.phantom.heart_space(shape=(96, 96), spacing=(1.4, 1.4))
cine = pb.phantom.heart(space=slice_space, noise=0.0).image
half = pb.Affine.translation([-0.7, -0.7])  # half a pixel to the right and down
inner = (slice(16, 80), slice(16, 80))  # away from the rim
times = 12


def error_after(interpolation):
    """The image after each there-and-back, and its root mean square errors."""
    image, errors = cine, [0.0]
    for _ in range(times):
        image = pb.apply(half, image, onto=cine, interpolation=interpolation)
        image = pb.apply(half.inverse(), image, onto=cine, interpolation=interpolation)
        errors.append(float(np.sqrt(((image.numpy() - cine.numpy())[inner] ** 2).mean())))
    return image.numpy(), errors


worn = {name: error_after(name) for name in ("nearest", "linear", "cubic")}

# %%
# pullback never does that to you. Transforms are *composed* first, and however many there are, the image is read
# **once**:

folded = pb.Affine.identity(2)
for _ in range(times):
    folded = half @ half.inverse() @ folded  # `a @ b` is a after b
print(folded)
once = pb.apply(folded, cine, onto=cine).numpy()

fig, axes = plt.subplots(1, 4, figsize=(10, 2.9))
pictures = {"moved in one go": once} | {f"24 times {name}": picture for name, (picture, _) in worn.items()}
for axis, (title, picture) in zip(axes, pictures.items(), strict=True):
    axis.imshow(picture[inner], vmin=0, vmax=1, extent=[0, 89.6, 89.6, 0])
    axis.set(title=title, xlabel="mm")
axes[0].set_ylabel("mm")
plt.show()

# %%
# Linear reading blurs. Cubic reading keeps much more. And nearest-pixel reading, which blurs nothing, *walks away*:
# half a pixel is always rounded in the same direction, so that each round trip moves the image by a whole pixel.

fig, axes = plt.subplots(1, 2, figsize=(10, 3.2))
along = np.arange(64) * 1.4
for title, picture in pictures.items():
    axes[0].plot(along, picture[inner][32], label=title)
axes[0].set(title="intensity along the middle row", xlabel="mm", ylabel="intensity", ylim=(0, 1.35))
axes[0].legend(ncols=2, loc="upper left")
axes[1].plot([0, times], [0, 0], label="moved in one go")
for name, (_, errors) in worn.items():
    axes[1].plot(errors, label=name)
axes[1].set(title="damage", xlabel="times there and back", ylabel="root mean square error")
plt.show()

last = {name: errors[-1] for name, (_, errors) in worn.items()}
print({name: round(error, 3) for name, error in last.items()}, "| read once:", float(np.abs(once - cine.numpy()).max()))
assert last["nearest"] > 2 * last["linear"] > 4 * last["cubic"] > 0.01
assert np.abs(once - cine.numpy()).max() < 1e-6
assert np.array_equal(worn["nearest"][0][20:60, 20:60], cine.numpy()[32:72, 32:72])  # twelve pixels along each axis

# %%
# Trap 1: (row, column) or (x, y)?
# --------------------------------
#
# Arrays are addressed by (row, column): down, then right. Formulas, plots, and torch's ``grid_sample`` say (x, y):
# right, then down. Hand one to the other, and an image moves in a wrong direction, without any error message:

swapped = translate_linear(heart_mask, (shift_column, shift_row))


def centre_of(picture):
    """The mean (row, column) of the bright pixels."""
    return (places * picture[..., None]).sum((0, 1)) / picture.sum()


fig, axes = plt.subplots(1, 2, figsize=(9.5, 3.5), sharey=True)
titles = "shift (row, column) = (2.4, -7.6)", "the two numbers swapped"
for axis, picture, title in zip(axes, (linear, swapped), titles, strict=True):
    start, end = centre_of(heart_mask), centre_of(picture)
    axis.imshow(picture)
    axis.annotate("", end[::-1], start[::-1], arrowprops={"arrowstyle": "->", "color": "#d55e00", "linewidth": 2})
    moved = end - start
    axis.set(title=f"{title}:\nthe heart moved by ({moved[0]:+.1f}, {moved[1]:+.1f})", xlabel="column")
axes[0].set_ylabel("row")
plt.show()

moved = centre_of(linear) - centre_of(heart_mask)
assert np.allclose(moved, (-2.4, 7.6), atol=1e-6)
assert np.linalg.norm(centre_of(swapped) - centre_of(linear)) > 10

# %%
# Trap 2: from -1 to 1, but from where to where?
# ----------------------------------------------
#
# ``grid_sample`` wants positions scaled to [-1, 1]. There are two ways to do that, and torch lets you choose:
#
# - ``align_corners=False``: -1 and 1 are the outer *edges* of the outermost pixels. Pixel :math:`i` of :math:`n` is
#   at :math:`(2i + 1)/n - 1`.
# - ``align_corners=True``: -1 and 1 are the *centres* of the outermost pixels. Pixel :math:`i` is at :math:`2i/(n-1)
#   - 1`.

fig, axis = plt.subplots(figsize=(8, 2.1))
for i in range(5):
    axis.add_patch(plt.Rectangle((i - 0.5, 0), 1, 1, facecolor="0.92", edgecolor="0.5"))
    axis.text(i, 0.5, f"pixel {i}", ha="center", va="center", fontsize=8)
for level, values, ends, colour, name in (
    (1.5, [(2 * i + 1) / 5 - 1 for i in range(5)], (-0.5, 4.5), "#0072b2", "align_corners=False"),
    (-0.5, [2 * i / 4 - 1 for i in range(5)], (0, 4), "#d55e00", "align_corners=True"),
):
    axis.plot(ends, (level, level), "|-", color=colour)
    for i, value in enumerate(values):
        axis.text(i, level + 0.15, f"{value:+.1f}", ha="center", color=colour, fontsize=8)
    axis.text(4.7, level, name, color=colour, va="center", fontsize=9)
axis.set(xlim=(-0.8, 6.4), ylim=(-0.8, 2.1))
axis.axis("off")
plt.show()

# %%
# So the same shift of 7.6 columns is another number in each of them, and in neither is it the same number as 7.6 rows
# would be: the axes have different lengths.

image = torch.from_numpy(heart_mask)[None, None]


def translate_torch(shift, divide_by, align_corners):
    """Our shift by torch, (row, column) in pixels; `divide_by` is what [-1, 1] spans, in pixels along (row, column)."""
    tx, ty = 2 * shift[1] / divide_by[1], 2 * shift[0] / divide_by[0]  # x first!
    theta = torch.tensor([[1.0, 0.0, tx], [0.0, 1.0, ty]], dtype=torch.float64)[None]
    grid = affine_grid(theta, image.shape, align_corners=align_corners)
    return grid_sample(image, grid, align_corners=align_corners)[0, 0].numpy()


edges = translate_torch((shift_row, shift_column), (rows, columns), align_corners=False)
centres = translate_torch((shift_row, shift_column), (rows - 1, columns - 1), align_corners=True)
confused = translate_torch((shift_row, shift_column), (rows, columns), align_corners=True)
assert np.allclose(edges, linear)
assert np.allclose(centres, linear)
short = np.linalg.norm(centre_of(confused) - centre_of(linear))
print(f"7.6 columns scaled for edges, but read for centres: {short:.2f} pixels too little")
assert 0.1 < short < 0.2

# %%
# Worse is to make the grid in one way and to read it in the other, which is quickly done, as both calls have the
# argument and both have a default. Where does each pixel then look? Read an image whose values *are* the column
# numbers, with a transform that does nothing:

number = torch.arange(columns, dtype=torch.float64).expand(1, 1, rows, columns)
nothing = torch.eye(2, 3, dtype=torch.float64)[None]
grid = affine_grid(nothing, number.shape, align_corners=False)
looked = grid_sample(number, grid, align_corners=True)[0, 0].numpy()
astray = looked - np.arange(columns)
mixed = grid_sample(image, grid, align_corners=True)[0, 0].numpy()

fig, axes = plt.subplots(1, 2, figsize=(10, 3.2), sharey=True)
shown = axes[0].imshow(astray, cmap="RdBu_r", vmin=-0.5, vmax=0.5)
axes[0].set(title='the "identity" looks astray', xlabel="column", ylabel="row")
fig.colorbar(shown, ax=axes[0], label="columns", shrink=0.8)
shown = axes[1].imshow(mixed - heart_mask, cmap="RdBu_r", vmin=-0.5, vmax=0.5)
axes[1].set(title="the heart through it, minus the heart", xlabel="column")
fig.colorbar(shown, ax=axes[1], label="intensity", shrink=0.8)
plt.show()

change = np.abs(mixed - heart_mask).max()
print(f"from {astray.max():+.2f} to {astray.min():+.2f} columns; the heart changed by up to {change:.2f}")
assert np.allclose(astray[:, 0], 0.5 - 0.5 / columns)
assert np.allclose(astray[:, -1], -0.5 + 0.5 / columns)
assert change > 0.1

# %%
# Half a pixel at the rim, nothing in the middle: too little to see, enough to spoil a measurement. In pullback you
# meet neither trap: transforms speak millimetres (:doc:`/conventions`), and [-1, 1] occurs in a single function that
# nobody else needs to know.
#
# What do you expect if ...
# -------------------------
#
# .. dropdown:: ... a label map (0, 1, 2, 3) is read linearly, or cubically?
#
#    Between labels 1 and 3 it says 2, which is another tissue. Labels are read at the nearest pixel, or each label is
#    read by itself and the largest share wins. ``pb.apply`` does so when it is given ``Labels``.
#
# .. dropdown:: ... the shift is a whole number of pixels?
#
#    All three interpolations give the same, exactly: at the pixels every kernel is 1 for itself and 0 for the others.
#
# .. dropdown:: ... an image of pure noise is moved by half a pixel along both axes, linearly?
#
#    Each new pixel is the mean of four independent ones, so the noise is *half* as strong. A registration may like a
#    half-pixel shift for no better reason than that it makes the noise smaller!
#
# .. dropdown:: ... a fine stripe pattern goes 24 times through a linear half-pixel shift?
#
#    Each reading multiplies a wave of :math:`f` cycles per pixel by :math:`\cos \pi f`. A wave of 8 pixels keeps 92 %
#    of its height, and 15 % after 24 readings; a wave of 2 pixels is gone after the first.
#
# Checked:

labels = pb.phantom.short_axis_labels()
as_image = pb.Image.of(labels.numpy())
assert set(np.unique(pb.apply(shift, labels, onto=heart).numpy())) == {0, 1, 2, 3}
assert len(np.unique(pb.apply(shift, as_image, onto=heart).numpy().round(3))) > 10

whole = pb.Affine.translation([3.0, -2.0])
kinds = [pb.apply(whole, heart, onto=heart, interpolation=name).numpy() for name in ("nearest", "linear", "cubic")]
assert np.allclose(kinds[0], kinds[1], atol=1e-5)
assert np.allclose(kinds[0], kinds[2], atol=1e-5)

noise = np.random.default_rng(0).normal(size=(200, 200))
assert abs(translate(noise, (0.5, 0.5), lambda at, n: reading(at, n, hat))[1:-1, 1:-1].std() - 0.5) < 0.02

wave = np.cos(2 * np.pi * np.arange(240) / 8)
once_there = reading(np.arange(240) + 0.5, 240, hat)
once_back = reading(np.arange(240) - 0.5, 240, hat)
height = np.abs((np.linalg.matrix_power(once_back @ once_there, 12) @ wave)[60:180]).max()
print(f"a wave of 8 pixels after 24 readings: {height:.2f}")
assert abs(height - np.cos(np.pi / 8) ** 24) < 0.01
