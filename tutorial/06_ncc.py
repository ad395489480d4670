r"""
6. Brightness that changes: NCC
===============================

Two scans of one heart are rarely equally bright. You will see what the squared difference does then, write the
normalised cross-correlation (NCC), which ignores gain and offset, and find out where it fails in its turn: under strong
shading, which a *local* correlation survives, and under inverted contrast, where even the sign is wrong.
"""

import math

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch.nn.functional import avg_pool2d, grid_sample

import pullback as pb

# sphinx_gallery_thumbnail_number = 2

# %%
# One heart, four looks
# ---------------------
# A short-axis slice of a chest, 96 x 96 pixels of 2.8 mm. The moving image is the same slice turned by 8 degrees and
# shifted by 8.6 mm; it has noise of its own. Then its brightness is changed in three ways that every scanner knows:
# another **gain and offset**, **inverted** contrast (blood dark on one scan and bright on the other), and the
# **shading** of a coil that lies on one side of the chest.

space = pb.phantom.heart_space(shape=(96, 96), spacing=(2.8, 2.8))
slice_ = pb.phantom.heart(space=space, noise=0, bias=0)
heart = slice_.labels.data > 0
truth = pb.Affine.rigid(8.0, shift_mm=[-7.0, 5.0], centre=space.centre)
pair = pb.phantom.warp_pair(slice_.image, truth, noise=0.02)
fixed, same = pair.fixed.data[0], pair.moving.data[0]

ramp = torch.linspace(-1, 1, 96)[None, :]
looks = {
    "the same": same,
    "gain and offset": 0.4 * same + 0.6,
    "inverted": 1 - same,
    "shaded": same * torch.exp(1.3 * ramp) + 0.5 * ramp,
}

fig, axes = plt.subplots(1, 5, figsize=(10, 2.5))
for ax, (title, image) in zip(axes, {"fixed": fixed, **looks}.items(), strict=True):
    shown = ax.imshow(np.asarray(image), vmin=-0.5, vmax=2)
    ax.set_title(title)
    ax.axis("off")
fig.colorbar(shown, ax=axes, shrink=0.7, label="intensity")
plt.show()

# %%
# The tools of :doc:`/tutorial/05_rigid`: to read an image at points (x, y) in mm, and to move points by three
# numbers. The origin of x and y is the middle of the picture now, about which the points turn.

line = torch.arange(96.0) * 2.8 - 95 * 2.8 / 2
points = torch.stack(torch.meshgrid(line, line, indexing="xy"), dim=-1)


def read(image, points):
    """The image at points (x, y), linearly between its pixels; -1 and 1 are the middles of the outermost pixels."""
    return grid_sample(image[None, None], points[None] / line[-1], align_corners=True, padding_mode="border")[0, 0]


def rigid(params, points):
    """Turn by params[0] degrees about the middle, then shift by params[1] and params[2] mm."""
    c, s = torch.cos(params[0] * math.pi / 180), torch.sin(params[0] * math.pi / 180)
    x, y = points.unbind(-1)
    return torch.stack([c * x - s * y, s * x + c * y], dim=-1) + params[1:]


answer = torch.tensor([8.0, 7.0, -5.0])  # world x runs to the left of the picture and y up: a shift changes its sign
assert (rigid(answer, points)[10, 20] + (truth(space.grid())[10, 20] - space.centre)).norm() < 1e-4

# %%
# Exercise
# --------
# Define the normalised cross-correlation
#
# .. math::
#
#    \text{NCC} = \frac{\text{Covariance}(warped, fixed)}
#    {\sqrt{\text{Var}(warped) \cdot \text{Var}(fixed)} + \epsilon}
#
# turn it into a loss, and register the four looks with it and with the squared error. Which pairs come out right?
#
# .. dropdown:: Hint: the loss
#
#    NCC is 1 for images that differ by a (positive) gain and an offset only, 0 for images that have nothing to do
#    with each other, and -1 for a negative. An optimiser makes things small: give it 1 - NCC.
#
# .. dropdown:: Hint: where the mean is taken
#
#    Over all pixels, for mean, variances and covariance alike. The small number in the denominator is for constant
#    images, whose variance is 0.
#
# Solution
# --------
# The squared error for comparison, the NCC, and its local relative LNCC: the same formula in a window about each
# pixel, averaged over the image. ``avg_pool2d`` takes all the windows' means at once.


def mse(fixed, warped):
    return ((warped - fixed) ** 2).mean()


def ncc(fixed, warped, epsilon=1e-6):
    f, w = fixed - fixed.mean(), warped - warped.mean()
    return (f * w).mean() / (((f**2).mean() * (w**2).mean()).sqrt() + epsilon)


def window(image, radius):
    return avg_pool2d(image[None], 2 * radius + 1, stride=1)[0]


def lncc(fixed, warped, radius=4, epsilon=1e-3):
    f, w = window(fixed, radius), window(warped, radius)
    covariance = window(fixed * warped, radius) - f * w
    variances = [(window(i * i, radius) - m * m).clamp(min=0) for i, m in ((fixed, f), (warped, w))]
    return (covariance / (variances[0] * variances[1] + epsilon**2).sqrt()).mean()


losses = {"MSE": mse, "NCC": lambda f, w: 1 - ncc(f, w), "LNCC": lambda f, w: 1 - lncc(f, w)}

# %%
# First without any optimiser: give the transform its right angle and its right shift along y, and walk along x. A
# loss can only lead to the truth if it is least there.

shifts = torch.arange(-20.0, 20.1, 1.0)
fig, axes = plt.subplots(1, 3, figsize=(10, 3.1))
lowest = {}
for ax, (measure, loss) in zip(axes, losses.items(), strict=True):
    for k, (look, image) in enumerate(looks.items()):
        walk = [loss(fixed, read(image, rigid(answer + torch.tensor([0, s, 0]), points))).item() for s in shifts]
        best = int(np.argmin(walk))
        lowest[measure, look] = shifts[best].item()
        scaled = (np.array(walk) - min(walk)) / (max(walk) - min(walk)) if measure == "MSE" else walk
        ax.plot(shifts, scaled, color=f"C{k}", label=look)
        ax.plot(shifts[best], scaled[best], "o", color=f"C{k}")
    ax.axvline(0, color="0.7", lw=1, zorder=0)
    ax.set(title=measure if measure == "MSE" else f"1 - {measure}", xlabel="shift from the truth, along x (mm)")
axes[0].set_ylabel("loss (MSE: each between 0 and 1)")
axes[1].legend(loc="center", bbox_to_anchor=(0.5, 0.55), ncols=2)
plt.show()

for measure in losses:
    print(f"{measure:5s} is least at", {look: f"{lowest[measure, look]:+.0f} mm" for look in looks})
assert all(lowest["NCC", look] == lowest["LNCC", look] == 0 for look in looks if look != "inverted")
assert abs(lowest["MSE", "shaded"]) > 10
assert all(abs(lowest[measure, "inverted"]) > 10 for measure in losses)

# %%
# Each dot is a lowest place; it should be at 0. MSE is drawn away by shading, and all three by inverted contrast:
# there the truth is where they are *highest*, since each of them believes that bright belongs to bright. The blue
# curve of NCC is not missing, it lies under the orange one: gain and offset make no difference at all. The curves
# differ in width, too. LNCC has the sharpest valley, and the flattest slope far from it, where windows see different
# things: it is precise, and short-sighted.
#
# Now the registrations, from no turn and no shift, with the loop of :doc:`/tutorial/05_rigid`. The angle counts in
# steps of 1.5 degrees, which move the heart about as far as a millimetre moves it.


def rigid_register(fixed, moving, loss, steps=85):
    """Angle in degrees, shift in mm."""
    units, free = torch.tensor([1.5, 1.0, 1.0]), torch.zeros(3, requires_grad=True)
    optimiser = torch.optim.Adam([free], lr=0.5)
    slower = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        optimiser.zero_grad()
        loss(fixed, read(moving, rigid(units * free, points))).backward()
        optimiser.step()
        slower.step()
    return (units * free).detach()


def error_mm(params):
    """How far the heart is from where it should be, on average."""
    return (rigid(params, points) - rigid(answer, points)).norm(dim=-1)[heart].mean().item()


def table(rows):
    print("error (mm)" + "".join(f"{look:>17s}" for look in looks))
    for measure, errors in rows.items():
        print(f"{measure:10s}" + "".join(f"{errors[look]:17.2f}" for look in looks))


def errors_of(loss):
    return {look: error_mm(rigid_register(fixed, image, loss)) for look, image in looks.items()}


by_hand = {measure: errors_of(loss) for measure, loss in losses.items()}
table(by_hand)

assert max(by_hand[measure]["the same"] for measure in losses) < 0.3
assert by_hand["MSE"]["gain and offset"] > 0.4 > 2 * by_hand["NCC"]["gain and offset"]
assert by_hand["MSE"]["shaded"] > 10
assert 1.5 * by_hand["LNCC"]["shaded"] < by_hand["NCC"]["shaded"] < 2
assert by_hand["LNCC"]["shaded"] < 0.3
assert min(by_hand[measure]["inverted"] for measure in losses) > 10

# %%
# Read the table by its columns. A wrong **gain and offset** cost MSE its precision: it moves bright things to where
# the error is cheapest. Under strong **shading** MSE is lost, NCC some tenths of a millimetre off, and LNCC as good
# as ever, since within 25 mm shading is nearly a gain and an offset. With **inverted** contrast all of them fail.
#
# The sign
# --------
# The remedy for a negative seems easy: make 1 - NCC\ :sup:`2` small, so that a perfect negative is as good as a
# perfect positive. It works here:

squared = errors_of(lambda f, w: 1 - ncc(f, w) ** 2)
table({"NCC^2": squared})
assert squared["inverted"] < 0.15

# %%
# It is not free: squared, a place where the images are opposed is as good as one where they agree. For the image as
# a whole that hardly matters. In the small windows of a local correlation chance makes many negatives, and each
# window may choose its own sign: count how many windows look like a good match where *nothing* matches, 9 mm beside
# the truth.


def local_correlations(fixed, warped, radius=2):
    f, w = window(fixed, radius), window(warped, radius)
    variances = [(window(i * i, radius) - m * m).clamp(min=1e-6) for i, m in ((fixed, f), (warped, w))]
    return (window(fixed * warped, radius) - f * w) / (variances[0] * variances[1]).sqrt()


astray = local_correlations(fixed, read(same, rigid(answer + torch.tensor([0.0, 9.0, 0.0]), points)))
good = {"signed": (astray > 0.5).double().mean().item(), "squared": (astray**2 > 0.5**2).double().mean().item()}
print({name: f"{share:.0%} of the windows look good" for name, share in good.items()})
assert good["squared"] > 1.1 * good["signed"]

# %%
# pullback therefore keeps the sign, in NCC and in LNCC, and leaves inverted contrast to measures made for it
# (:doc:`/tutorial/07_mutual_information`).
#
# The same with pullback
# ----------------------
# A recipe is a value made of values. Here is a rigid stage with another similarity each time; the model counts its
# angle in mm of arc by itself, the schedule goes from coarse to fine. In a recipe file the same is one line:
# ``pullback recipe show rigid > mine.yaml``, then ``similarity: {kind: NCC}``.

from pullback.energy import LNCC, MSE, NCC, Energy, MutualInformation
from pullback.optimise import LBFGS, Level, Linear, Schedule
from pullback.registration import Optimise, Recipe

coarse_to_fine = Schedule((Level(4, steps=40), Level(2, steps=40), Level(1, steps=20)))


def rigid_by(similarity):
    stage = Optimise(Linear("rigid"), Energy(similarity), LBFGS(), coarse_to_fine)
    return Recipe("rigid", "one similarity", (stage,))


with_pullback = {}
for similarity in (MSE(), NCC(), LNCC(radius_voxels=4), MutualInformation()):
    name = type(similarity).__name__.replace("MutualInformation", "MI")
    with_pullback[name] = {}
    for look, image in looks.items():
        result = pb.register(pair.fixed, pb.Image(image[None], space), rigid_by(similarity))
        off = pb.evaluate.end_point_error(result.transform, truth, space, heart)
        with_pullback[name][look] = float(off.nanmean())
table(with_pullback)

for measure in ("NCC", "LNCC"):
    assert max(with_pullback[measure][look] for look in looks if look != "inverted") < 0.4
    assert with_pullback[measure]["inverted"] > 10
assert with_pullback["MSE"]["shaded"] > 5
assert with_pullback["MI"]["inverted"] < 0.2

# %%
# The pattern is that of the table by hand, with one exception: pullback scales both images to about [0, 1] before
# anything else, so that a gain and an offset no longer trouble even MSE. The last line is a look ahead. Mutual
# information does not mind a negative, but it is helpless against this shading, which makes one tissue look like
# several. No measure is best: each is an assumption about what stays the same.
#
# .. list-table::
#    :header-rows: 1
#
#    * - Measure
#      - what must stay the same
#      - take it for
#    * - MSE
#      - the brightness of each tissue
#      - one scanner, one sequence: frames of a cine
#    * - NCC
#      - brightness, up to gain and offset
#      - the same sequence on another day; few parameters
#    * - LNCC
#      - the same, in each neighbourhood
#      - shading; dense deformations, after an affine start
#    * - NCC squared, MI
#      - that one brightness tells the other
#      - other contrasts
#
# The whole list is on the page of :doc:`/methods/similarities`.
#
# What do you expect if ...
# -------------------------
#
# .. dropdown:: ... both images are brought to mean 0 and standard deviation 1, and then MSE is used?
#
#    That is NCC: the mean squared difference of two standardised images is 2 - 2 NCC. The cell below checks it. The
#    difference is only that NCC standardises the *warped* image in every step, where what is in view changes.
#
# .. dropdown:: ... the window of LNCC is as large as the image?
#
#    Then it is NCC, and as helpless under shading. With a window of 3 x 3 pixels it compares noise. In between there
#    is a wide range in which it works: a window should hold an edge or two.
#
# .. dropdown:: ... one of the images is constant where they overlap?
#
#    Its variance is 0 and NCC would be 0/0; the small number in the denominator makes it 0, "no relation". With none,
#    the loss is NaN and the optimiser is lost without a word: a common bug.
#
# .. dropdown:: ... a half of one image is covered by something bright, say a metal implant?
#
#    Mean and variance are the implant's then, and NCC compares it with nothing. LNCC loses only the windows that
#    touch it. Better still, mask it: ``pb.register(..., moving_mask=mask)``.

standard = [(image - image.mean()) / image.std(correction=0) for image in (fixed, looks["gain and offset"])]
assert abs(mse(*standard) - (2 - 2 * ncc(fixed, same))) < 1e-4
wide = rigid_register(fixed, looks["shaded"], lambda f, w: 1 - lncc(f, w, radius=40))
print(f"LNCC in a window of 81 pixels, shaded: {error_mm(wide):.2f} mm")
assert error_mm(wide) > 2 * by_hand["LNCC"]["shaded"]
assert abs(ncc(fixed, torch.full_like(fixed, 0.3))) < 0.01
covered = same.clone()
covered[48:] = 8.0
halved = {m: error_mm(rigid_register(fixed, covered, losses[m])) for m in ("NCC", "LNCC")}
print("half of it covered:", {m: f"{e:.2f} mm" for m, e in halved.items()})
assert halved["LNCC"] < 1 < 5 < halved["NCC"]
