"""
3. Turning a heart, in four dialects
====================================

A rotation by 30 degrees is one small matrix, and yet it goes wrong more often than it goes right. You turn the heart
clockwise about its middle by hand, with scipy, with torch and with pullback, until all four agree to rounding; and you
learn where they differ: in the sign of the angle, the order of the axes, the centre, the unit, and the border.
"""

# %%
# Affine maps
# -----------
#
# An **affine** map takes the point :math:`(x, y)` to
#
# .. math::
#
#    \begin{bmatrix} x' \\ y' \\ 1 \end{bmatrix} =
#    \begin{bmatrix} a_{11} & a_{12} & t_x \\ a_{21} & a_{22} & t_y \\ 0 & 0 & 1 \end{bmatrix}
#    \begin{bmatrix} x \\ y \\ 1 \end{bmatrix}
#
# The row of 0, 0, 1 is there so that a translation is a product of matrices like everything else. The linear part is
# a rotation, a scaling, a shear, or a mixture:
#
# .. math::
#
#    R = \begin{bmatrix} \cos\theta & -\sin\theta \\ \sin\theta & \cos\theta \end{bmatrix} \qquad
#    S = \begin{bmatrix} s_x & 0 \\ 0 & s_y \end{bmatrix} \qquad
#    K = \begin{bmatrix} 1 & k_x \\ k_y & 1 \end{bmatrix}
#
# What is clockwise?
# ------------------
#
# With a positive angle, :math:`R` turns the *first* axis towards the *second*. Whether that is clockwise depends only
# on how the two are drawn, and there are four habits:

# sphinx_gallery_thumbnail_number = 2
import matplotlib.pyplot as plt
import numpy as np
import torch
from scipy import ndimage
from torch.nn.functional import affine_grid, grid_sample

import pullback as pb

plt.rcParams.update({"image.cmap": "gray", "figure.constrained_layout.use": True})

habits = {
    "mathematics:\nx right, y up": ("x", (1, 0), "y", (0, 1)),
    "pictures:\nx right, y down": ("x", (1, 0), "y", (0, -1)),
    "arrays:\nrow down, column right": ("row", (0, -1), "column", (1, 0)),
    "a patient on the screen (RAS):\nx left, y up": ("x", (-1, 0), "y", (0, 1)),
}
fig, axes = plt.subplots(1, 4, figsize=(10, 2.9))
for axis, (title, (first, e1, second, e2)) in zip(axes, habits.items(), strict=True):
    e1, e2 = np.array(e1), np.array(e2)
    arc = np.array([np.cos(t) * e1 + np.sin(t) * e2 for t in np.linspace(0.1, 1.2, 30)]) * 0.6
    clockwise = e1[0] * e2[1] - e1[1] * e2[0] < 0
    colour = "#d55e00" if clockwise else "#0072b2"
    for name, e in ((first, e1), (second, e2)):
        axis.annotate("", e, (0, 0), arrowprops={"arrowstyle": "->"})
        axis.text(
            *(1.1 * e),
            name,
            ha=("right", "center", "left")[int(e[0]) + 1],
            va=("top", "center", "bottom")[int(e[1]) + 1],
        )
    axis.plot(*arc[:-3].T, color=colour, linewidth=2.5)
    axis.annotate("", arc[-1], arc[-5], arrowprops={"arrowstyle": "-|>", "color": colour, "linewidth": 2.5})
    axis.set(title=title, xlim=(-1.6, 1.9), ylim=(-1.75, 1.4), aspect="equal")
    axis.text(0, -1.75, "clockwise" if clockwise else "counter-clockwise", color=colour, ha="center", fontsize=9)
    axis.axis("off")
plt.show()

# %%
# And that is only how *points* turn. An image is pulled back (:doc:`/tutorial/02_subpixel`): if every pixel looks for
# its value 30 degrees further clockwise, the picture turns counter-clockwise.
#
# Exercise
# --------
#
# Turn the heart by **30 degrees clockwise on the screen** about the middle of the image, with linear interpolation,
# in three ways: with ``scipy.ndimage.affine_transform``, with ``affine_grid`` and ``grid_sample`` of torch, and with
# ``pb.Affine.rigid`` and ``pb.apply``. Subtract the results: you are done when the largest difference is rounding.
#
# .. dropdown:: Hint
#
#    Write down for each tool: In which order does it want the axes, and which way do they point on the screen? Does
#    its matrix map points of the new image to the old one, or the other way? What does it turn about, if you say
#    nothing? In which unit does it measure?
#
#    A rotation about :math:`c` is :math:`x' = R\,(x - c) + c`, so its translation is :math:`c - R\,c`.
#
# .. dropdown:: One hint more, for torch
#
#    Torch's axes run from -1 to 1 whether the image is 40 or 64 pixels wide. What does a rotation in pixels look like
#    there?
#
# Solution
# --------
#
# By hand first. With x to the right and y down, points turn clockwise by :math:`R(\theta)`. So the pixels must look
# counter-clockwise, :math:`R(-\theta)`, and everything is relative to the middle of the image, (19.5, 31.5): pixels 0
# to 39 have their middle between 19 and 20.

heart = pb.phantom.short_axis()
heart_mask = heart.numpy().astype(float)
rows, columns = heart_mask.shape
theta = np.deg2rad(30)
c, s = np.cos(theta), np.sin(theta)
middle_row, middle_column = (rows - 1) / 2, (columns - 1) / 2


def read_linear(image, row, column):
    """The image at any positions, 0 outside."""
    padded = np.pad(image, 1)
    row, column = np.clip(row, -1, image.shape[0]) + 1, np.clip(column, -1, image.shape[1]) + 1
    i, j = np.minimum(row.astype(int), image.shape[0]), np.minimum(column.astype(int), image.shape[1])
    r, q = row - i, column - j
    upper = padded[i, j] * (1 - q) + padded[i, j + 1] * q
    lower = padded[i + 1, j] * (1 - q) + padded[i + 1, j + 1] * q
    return upper * (1 - r) + lower * r


row, column = np.mgrid[:rows, :columns]
x, y = column - middle_column, row - middle_row
look_x, look_y = c * x + s * y, -s * x + c * y  # R(-theta)
by_hand = read_linear(heart_mask, look_y + middle_row, look_x + middle_column)

# %%
# **scipy** works on indices, axis 0 first, so (row, column), and its matrix maps *output to input*: a pull-back. In
# the order (row, column) the same looking is :math:`\text{row}' = c\,\text{row} - s\,\text{column}`,
# :math:`\text{column}' = s\,\text{row} + c\,\text{column}`: the textbook's matrix with a *plus* 30 degrees, as the
# axes have changed places. The centre goes into ``offset``.

turn_index = np.array([[c, -s], [s, c]])
middle = np.array([middle_row, middle_column])
by_scipy = ndimage.affine_transform(heart_mask, turn_index, offset=middle - turn_index @ middle, order=1)

# %%
# **torch** wants (x, y), also output to input, about the middle by itself, but in units of half the image's width and
# half its height. In these units :math:`x = \tfrac{W}{2} X` and :math:`y = \tfrac{H}{2} Y`, so the entries that mix
# the two axes take the ratio of the sides. Only for a square image is it the matrix of a rotation.

ratio = rows / columns
in_halves = torch.tensor([[c, s * ratio, 0.0], [-s / ratio, c, 0.0]], dtype=torch.float64)[None]
image = torch.from_numpy(heart_mask)[None, None]
grid = affine_grid(in_halves, image.shape, align_corners=False)
by_torch = grid_sample(image, grid, align_corners=False)[0, 0].numpy()

# %%
# **pullback** speaks of the patient, (x, y) in mm. On the screen x runs to the left and y up, so a positive angle
# turns points clockwise and the picture counter-clockwise; we want -30. The centre is a place in mm, too.

turn = pb.Affine.rigid(angles_degrees=-30, centre=heart.space.centre)
by_pullback = pb.apply(turn, heart, onto=heart).numpy()

results = {"by hand": by_hand, "scipy": by_scipy, "torch": by_torch, "pullback": by_pullback}
for name, picture in results.items():
    difference = np.abs(picture - by_hand).max()
    print(f"{name:9} largest difference {difference:.1e}")
    assert difference < 2e-5  # pullback reads in single precision, the others in double

# %%
# Is it clockwise, and are they 30 degrees? Where the right ventricle's blood lies, seen from the middle, tells. It
# was at 9 o'clock and must be at 10 o'clock:

labels = pb.phantom.short_axis_labels()
turned_labels = pb.apply(turn, labels, onto=heart)


def clock_angle(labelled):
    """Degrees clockwise from "right" to the middle of label 1, seen from the middle of the image."""
    where = labelled.numpy() == 1
    return np.rad2deg(np.arctan2(y[where].mean(), x[where].mean())) % 360


turned_by = clock_angle(turned_labels) - clock_angle(labels)
print(f"turned by {turned_by:.1f} degrees clockwise")
assert abs(turned_by - 30) < 1.5  # labels are whole pixels

fig, axes = plt.subplots(1, 2, figsize=(9.5, 3.5), sharey=True)
for axis, picture, title in zip(axes, (heart_mask, by_hand), ("before", "30 degrees clockwise"), strict=True):
    axis.imshow(picture)
    axis.plot(middle_column, middle_row, "+", color="#d55e00", markersize=12)
    axis.set(title=title, xlabel="column")
axes[0].set_ylabel("row")
turning = {"arrowstyle": "-|>", "color": "#d55e00", "connectionstyle": "arc3,rad=-0.3", "linewidth": 2}
axes[1].annotate("", (14.5, 4), (9, 18), arrowprops=turning)
plt.show()

# %%
# What the four disagree about
# ----------------------------
#
# .. list-table::
#    :header-rows: 1
#
#    * -
#      - by hand
#      - scipy
#      - torch
#      - pullback
#    * - order of the axes
#      - as you like
#      - (row, column)
#      - (x, y)
#      - (x, y)
#    * - unit
#      - pixels
#      - pixels
#      - half the image's side
#      - mm of the patient
#    * - turns about
#      - what you subtract
#      - pixel (0, 0)
#      - the image's middle
#      - the world's origin, or ``centre``
#    * - matrix maps
#      - new to old
#      - new to old
#      - new to old
#      - new (fixed) to old (moving)
#    * - angle for our turn
#      - -30 in (x, y down)
#      - +30 in (row, column)
#      - -30, scaled by the sides
#      - -30 in RAS
#
# The classic mistakes
# --------------------
#
# Each of these runs without complaint. The number is how far the pixels of the heart look, on average, from where
# they should.


def looks(matrix, offset):
    """Where each pixel looks under a (row, column) matrix and offset, (rows, columns, 2)."""
    return np.moveaxis(np.stack([row, column]), 0, -1) @ np.asarray(matrix).T + offset


right = looks(turn_index, middle - turn_index @ middle)
swapped_middle = middle[::-1]
squeezed = np.array([[c, -s * rows / columns], [s * columns / rows, c]])  # R(-30) in [-1, 1], as (row, column) pixels
mistakes = {
    "the centre forgotten": looks(turn_index, (0, 0)),
    "the wrong direction, or x and y swapped": looks(turn_index.T, middle - turn_index.T @ middle),
    "the centre given as (x, y)": looks(turn_index, swapped_middle - turn_index @ swapped_middle),
    "a rotation in [-1, 1]": looks(squeezed, middle - squeezed @ middle),
}
fig, axes = plt.subplots(2, 2, figsize=(9, 6.3), sharex=True, sharey=True)
in_heart = by_hand > 0.5
off = {}
for axis, (name, looked) in zip(axes.flat, mistakes.items(), strict=True):
    off[name] = np.linalg.norm(looked - right, axis=-1)[in_heart].mean()
    axis.imshow(read_linear(heart_mask, looked[..., 0], looked[..., 1]))
    axis.contour(by_hand, [0.5], colors="#e69f00", linewidths=0.9)
    axis.set(title=f"{name}: {off[name]:.1f} pixels off")
axes[1, 0].set(xlabel="column", ylabel="row")
plt.show()

assert min(off.values()) > 2

# %%
# Orange is where the heart should be. The last mistake is the mean one: the heart has turned, it is all there and in
# the middle, so it looks plausible. But what was horizontal has turned by 20 degrees and what was vertical by 43: the
# heart is sheared. The singular values of the matrix tell how much it is stretched (a rotation has two ones). It is
# what you get from :math:`R` in ``affine_grid`` with any image that is not square:

raw = torch.tensor([[c, s, 0.0], [-s, c, 0.0]], dtype=torch.float64)[None]
by_raw = grid_sample(image, affine_grid(raw, image.shape, align_corners=False), align_corners=False)[0, 0].numpy()
stretch = np.linalg.svd(squeezed, compute_uv=False)
print("stretched by", stretch.round(2))
horizontal, vertical = np.linalg.inv(squeezed).T[::-1]  # where these steps have gone, (row, column)
assert np.isclose(np.rad2deg(np.arctan2(horizontal[0], horizontal[1])), 19.8, atol=0.1)
assert np.isclose(np.rad2deg(np.arctan2(-vertical[1], vertical[0])), 42.7, atol=0.1)
assert np.allclose(by_raw, read_linear(heart_mask, *np.moveaxis(mistakes["a rotation in [-1, 1]"], -1, 0)))
assert stretch[0] > 1.2
assert np.allclose(np.linalg.svd(turn_index, compute_uv=False), 1)

# %%
# What lies beyond the border?
# ----------------------------
#
# All four agreed because our heart ends before the image does. On an image that is 1 everywhere they do not: what is
# read *between the last pixel and the outside*?

ones = np.ones_like(heart_mask)
outside = {
    "scipy: nothing at once": ndimage.affine_transform(ones, turn_index, offset=middle - turn_index @ middle, order=1),
    "torch: fades over one pixel": grid_sample(torch.ones_like(image), grid, align_corners=False)[0, 0].numpy(),
    "pullback: half a pixel of edge": pb.apply(turn, pb.Image.of(ones), onto=heart).numpy(),
}
fig, axes = plt.subplots(1, 3, figsize=(10, 3.4), sharey=True)
for axis, (name, picture) in zip(axes, outside.items(), strict=True):
    shown = axis.imshow(picture[:24, :24], vmin=0, vmax=1)
    axis.set(title=name, xlabel="column")
axes[0].set_ylabel("row")
fig.colorbar(shown, ax=axes, label="value", shrink=0.8)
plt.show()

held = ((right >= 0) & (right <= (rows - 1, columns - 1))).all(-1)  # between the centres of the outermost pixels
for name, picture in outside.items():
    print(f"{name:31} {(picture > 0).sum()} pixels above 0")
    assert np.allclose(picture[held], 1)
assert len({int((picture > 0).sum()) for picture in outside.values()}) == 3

# %%
# None of them is wrong: a pixel has a size, and its value stands for a square of half a pixel to each side. That is
# ITK's rule and pullback's. But a *registration* that counts what it read from nowhere as black will find edges there
# that are not in the patient, so pullback leaves such pixels out when it compares images.
#
# Scaling and shear, about a centre
# ---------------------------------
#
# :math:`x' = A\,(x - c) + c` serves any linear part. ``pb.Affine.about`` takes it. Remember the pull-back once more:
# a matrix that *doubles* lengths shows the heart at *half* the size. So we write down what the heart should do, and
# invert.

wanted = {
    "wider by 1.3, lower by 0.8": [[1.3, 0.0], [0.0, 0.8]],
    "sheared by 0.4": [[1.0, 0.4], [0.0, 1.0]],
    "turned by 30, then wider by 1.3": np.diag([1.3, 1.0]) @ turn.inverse().linear.numpy(),
}
fig, axes = plt.subplots(1, 3, figsize=(10, 2.9), sharey=True)
for axis, (title, linear) in zip(axes, wanted.items(), strict=True):
    moves = pb.Affine.about(torch.as_tensor(np.array(linear)), centre=heart.space.centre)
    axis.imshow(pb.apply(moves.inverse(), heart, onto=heart).numpy())
    came_from = heart.space.to_voxels(moves.inverse()(heart.space.grid())).numpy()
    for k in range(2):
        axis.contour(came_from[..., k], np.arange(-64, 128, 8), colors="#56b4e9", linewidths=0.6)
    axis.set(title=title, xlabel="column")
axes[0].set_ylabel("row")
plt.show()

area = pb.apply(pb.Affine.about(torch.eye(2) / 1.2, centre=heart.space.centre), heart, onto=heart).numpy().sum()
print(f"enlarged by 1.2: the muscle covers {area / heart_mask.sum():.2f} times the area")
assert abs(area / heart_mask.sum() - 1.2**2) < 0.05

# %%
# Linear or cubic: full circle
# ----------------------------
#
# Twelve turns of 30 degrees bring everything back to where it was, so the difference to the start is the fault of the
# interpolation alone. Here on a cine slice:

space = pb.phantom.heart_space(shape=(96, 96), spacing=(1.4, 1.4))
cine = pb.phantom.heart(space=space, noise=0.0).image
step = pb.Affine.rigid(-30, centre=space.centre)
i, j = np.mgrid[:96, :96]
disc = np.hypot(i - 47.5, j - 47.5) < 40  # what never left the picture

circled = {"12 turns, linear": cine, "12 turns, cubic": cine}
full_circle = pb.Affine.identity(2)
for _ in range(12):
    for name in circled:
        circled[name] = pb.apply(step, circled[name], onto=space, interpolation=name.split()[-1])
    full_circle = step @ full_circle
circled["12 turns folded into one, linear"] = pb.apply(full_circle, cine, onto=space)

fig, axes = plt.subplots(1, 3, figsize=(10, 3.9))
left = {}
for axis, (name, picture) in zip(axes, circled.items(), strict=True):
    left[name] = np.abs(picture.numpy() - cine.numpy())[disc].mean()
    axis.imshow(picture.numpy(), vmin=0, vmax=1, extent=[0, 134.4, 134.4, 0])
    axis.set(title=f"{name}:\nmean error {left[name]:.4f}", xlabel="mm")
axes[0].set_ylabel("mm")
plt.show()

assert left["12 turns, linear"] > 3 * left["12 turns, cubic"]
assert left["12 turns folded into one, linear"] < 1e-4

# %%
# What do you expect if ...
# -------------------------
#
# .. dropdown:: ... the voxels are 2 x 1 mm, and you turn the *array* by 30 degrees?
#
#    A square of pixels is not a square of the patient, so a rotation of the array shears the patient: lengths change
#    by more than a factor of 1.4. Rotations belong into millimetres. (The mistake of the [-1, 1] coordinates is the
#    same one.)
#
# .. dropdown:: ... you turn first and shift then, or shift first and turn then?
#
#    Not the same: the rotation also turns the shift. ``a @ b`` means *b first*; ``shift @ turn`` is not ``turn @
#    shift``. Two rotations about one centre, in two dimensions, do commute.
#
# .. dropdown:: ... a landmark was drawn in the picture before it was turned: where is it now?
#
#    The transform takes places in the turned picture to places in the old one. The landmark goes the other way,
#    through ``turn.inverse()``.
#
# .. dropdown:: ... an image is turned by 90 degrees with linear interpolation?
#
#    If it is turned about its middle, onto its own grid, and both sides are even or both are odd, pixels fall on
#    pixels and nothing is blurred (``np.rot90``). If only one is odd, all pixels fall between pixels, half a pixel
#    off.
#
# Checked:

anisotropic = np.diag([2.0, 1.0])  # mm per pixel along rows and columns
in_mm = anisotropic @ turn_index @ np.linalg.inv(anisotropic)
lengths = np.linalg.svd(in_mm, compute_uv=False)
print("lengths in the patient are multiplied by", lengths.round(2))
assert lengths[0] > 1.4

shift = pb.Affine.translation([5.0, 0.0])
point = torch.tensor([-10.0, -20.0])
assert not torch.allclose((shift @ turn)(point), (turn @ shift)(point))
assert torch.allclose((shift @ turn)(point), shift(turn(point)))

landmark = labels.space.to_world(torch.tensor([20.0, 18.0]))  # in the blood of the right ventricle
found = labels.space.to_voxels(turn.inverse()(landmark)).round().long()
assert turned_labels.data[found[0], found[1]] == 1

quarter = pb.Affine.rigid(-90, centre=heart.space.centre)
wide = heart.space.crop((-12, 12), (52, 52))  # 64 rows, 40 columns, with the same middle
assert np.allclose(pb.apply(quarter, heart, onto=wide).numpy(), np.rot90(heart_mask, -1), atol=1e-5)
