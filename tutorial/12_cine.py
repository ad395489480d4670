"""
12. A cine: from end of diastole to end of systole, and strain
==============================================================

Now the heart itself. You register the relaxed heart with the contracted one, carry labels along, and get Dice and an
ejection fraction without drawing a contour twice; you follow every point of the muscle through a whole beat; and from
its motion you compute what cardiologists ask for: the **strain**, by how much the wall shortens and thickens.
"""

# %%
# Two phases
# ----------
#
# A short-axis *cine* is a stack of slices, each a film of one heart beat. At the end of **diastole** (ED) the
# ventricles are full, at the end of **systole** (ES) they have contracted. ED is fixed and ES is moving, so that the
# transform says where every point of the relaxed heart has gone. If ``PULLBACK_DATA`` names a folder with patients of
# ACDC, one of those is read, else a synthetic heart beats for us - with the advantage that we know exactly where its
# points go.

# sphinx_gallery_thumbnail_number = 4
import os
import time
import warnings
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch

import pullback as pb

RV, WALL, LV = 1, 2, 3  # right ventricle, left ventricular wall ("myocardium"), left ventricle
NAMES = {RV: "right ventricle", WALL: "myocardium", LV: "left ventricle"}
COLOURS = {RV: "#56b4e9", WALL: "#009e73", LV: "#d55e00"}

public = Path(os.environ.get("PULLBACK_DATA", "no folder"))
patient = public / "cardiac_ed_es/acdc/patient022"
if patient.is_dir():
    files = sorted(patient.glob("*_frame*.nii.gz"))
    with warnings.catch_warnings(record=True) as noticed:
        warnings.simplefilter("always")
        fixed, moving = pb.read_image(files[0]), pb.read_image(files[2])
        fixed_labels, moving_labels = pb.read_labels(files[1]), pb.read_labels(files[3])
    print("a patient of ACDC, from PULLBACK_DATA;", str(noticed[0].message).split(": ", 1)[1])
else:
    pair = pb.phantom.beating_heart((0.0, 0.36), dimension=3).pair()
    fixed, moving, fixed_labels, moving_labels = pair.fixed, pair.moving, pair.fixed_labels, pair.moving_labels
    print("a synthetic heart: PULLBACK_DATA names no folder with cardiac_ed_es/")
print(fixed.space)

# %%
# (ACDC's headers contradict themselves: one field says 1 mm, another the true size. pullback tells what it believes.
# Whoever takes the wrong one measures volumes that are wrong by a factor of twenty.)

middle = 1 + int((moving_labels.data[1:-1] == LV).sum(dim=(1, 2)).argmax())  # where much is to be seen in both
rows, columns = (slice(max(int(k.min()) - 14, 0), int(k.max()) + 15) for k in np.nonzero(fixed_labels.numpy()[middle]))


def show_slice(axis, image, labels=None, title=""):
    axis.imshow(image.numpy()[middle, rows, columns])
    axis.set(title=title)
    axis.set_axis_off()
    for k in COLOURS if labels is not None else ():
        inside = labels.numpy()[middle, rows, columns] == k
        axis.contour(inside, levels=[0.5], colors=COLOURS[k], linewidths=1.4)


# %%
# Register
# --------
#
# ``cardiac-sax`` is a recipe for exactly this: shifts between breath-holds first, then smooth wide steps, by a sum of
# local correlation and squared difference (see :doc:`/recipes`).

began = time.process_time()
result = pb.register(fixed, moving, "cardiac-sax")
print(f"{result.message}; {time.process_time() - began:.1f} s of processor time")
assert result.ok

# Labels of the ES frame are *pulled back* like the image, by the nearest voxel, and compared with those of ED.
carried = pb.apply(result.transform, moving_labels, onto=fixed.space)

fig, axes = plt.subplots(1, 4, figsize=(10, 2.9))
show_slice(axes[0], fixed, fixed_labels, "fixed: ED, its labels")
show_slice(axes[1], moving, moving_labels, "moving: ES, its labels")
show_slice(axes[2], result.warped, carried, "warped: ES on ED,\nits labels carried along")
difference = (result.warped.numpy() - fixed.numpy())[middle, rows, columns]
axes[3].imshow(difference, cmap="RdBu", vmin=-np.ptp(fixed.numpy()) / 2, vmax=np.ptp(fixed.numpy()) / 2)
axes[3].set(title="warped - fixed")
axes[3].set_axis_off()
plt.show()

before = pb.evaluate.dice(fixed_labels, moving_labels)
after = pb.evaluate.dice(fixed_labels, carried)
print(f"{'Dice':18}before   after")
for k, name in NAMES.items():
    print(f"{name:18}{before[k]:6.3f}  {after[k]:6.3f}")
    assert after[k] > before[k] + 0.1
assert np.mean([after[k] for k in NAMES]) > 0.8

# %%
# The transform
# -------------
#
# Lines that are straight in the fixed image lie in the moving one as drawn. The Jacobian determinant says by which
# factor a small volume changes on the way to ES: blood leaves the cavities (blue), muscle keeps its volume, roughly
# - if it did not do so at all, the registration would be wrong, however well the pictures fit.

displacement = pb.Displacement(result.transform.displace(fixed.space), fixed.space)
volume_change = displacement.jacobian()


def in_voxels(displacement):
    """Vectors in mm along the world axes as (row, column) voxels of the slice."""
    space = displacement.space
    return torch.einsum("ij,j...->i...", space.inverse[:-1, :-1].float(), displacement.field)[-2:].numpy()


def draw_grid(axis, vectors, step=4):
    row, column = np.indices(vectors.shape[1:]) + vectors
    for k in range(0, len(row), step):
        axis.plot(column[k], row[k], color="#e69f00", lw=0.7)
    for k in range(0, row.shape[1], step):
        axis.plot(column[:, k], row[:, k], color="#e69f00", lw=0.7)
    axis.set(xlim=(0, row.shape[1] - 1), ylim=(len(row) - 1, 0))


fig, axes = plt.subplots(1, 2, figsize=(9.5, 3.9))
show_slice(axes[0], moving, title="where the fixed grid lies in the moving image")
draw_grid(axes[0], in_voxels(displacement)[:, middle, rows, columns])
show = axes[1].imshow(volume_change.numpy()[middle, rows, columns], cmap="RdBu_r", vmin=0, vmax=2)
for k in COLOURS:
    axes[1].contour(fixed_labels.numpy()[middle, rows, columns] == k, levels=[0.5], colors=COLOURS[k])
axes[1].set(title="Jacobian determinant")
axes[1].set_axis_off()
fig.colorbar(show, ax=axes[1], label="volume at ES / volume at ED")
plt.show()

folded = float((volume_change <= 0).float().mean())
means = {k: float(volume_change[fixed_labels.data == k].mean()) for k in NAMES}
print(f"folded: {100 * folded:.3f} % of the voxels;", ", ".join(f"{NAMES[k]} {v:.2f}" for k, v in means.items()))
assert folded < 0.002
assert means[LV] < 0.75 < means[WALL] < 1.4

# %%
# An ejection fraction without a second contour
# ---------------------------------------------
#
# Labels of ED carried *forward* to ES need the inverse, for labels are images, and images are pulled back. Then the
# size of the left ventricle is known in both phases, and with it the part that it ejects.


def millilitres(labels, slices):
    return int((labels.data[slices] == LV).sum()) * float(np.prod(labels.space.spacing)) / 1000


forward = pb.apply(result.transform.inverse(), fixed_labels, onto=moving.space)
everywhere = torch.ones(len(fixed_labels.data), dtype=torch.bool)
in_both = ((fixed_labels.data == LV).sum(dim=(1, 2)) > 0) & ((moving_labels.data == LV).sum(dim=(1, 2)) > 0)
ejected = {}
for where, slices in (("all slices", everywhere), ("slices with the ventricle in both phases", in_both)):
    full = millilitres(fixed_labels, slices)
    drawn, by_motion = (1 - millilitres(labels, slices) / full for labels in (moving_labels, forward))
    ejected[where] = drawn, by_motion
    print(f"{where:42} drawn at ES {100 * drawn:.0f} %, carried to ES {100 * by_motion:.0f} %")
assert abs(np.subtract(*ejected["slices with the ventricle in both phases"])) < 0.12

# %%
# In slices that show the ventricle in both phases the carried labels agree with those that were drawn. Where the
# whole base of the heart is in the picture, as in the synthetic one, all slices together do not agree: the heart also
# shortens along its axis. At ES the plane of the valves has come down by a centimetre, and the uppermost slices show
# the *atrium*. Its blood is as bright as that of the ventricle, so the images fit well, and the labels of the
# ventricle stay where they were. No registration of intensities can know this; a person who draws contours does.

# %%
# A whole beat
# ------------
#
# ``pb.track`` follows every point of one frame through all others; every frame is compared with the first one itself,
# so that errors do not add up (:doc:`/methods/tracking`). Here a single slice; with ``PULLBACK_DATA`` one of the
# public CineMyoPS cases, whose first frame has labels.
#
# We are after strain, a *gradient* of the field, and a gradient multiplies what is rough in it. So we ask for a
# smoother field than the recipe ``cine`` does: after each step it is blurred by a Gaussian of 1.2 voxels instead of
# 0.4.

case = public / "cinemyops"
if case.is_dir():
    files = sorted((case / "image").glob("Case1002_s08_*.nii.gz"))
    frames = [pb.read_image(file) for file in files]
    drawn = pb.read_labels(case / "label/Case1002_s08.nii.gz")
    numbers = torch.tensor([0, WALL, LV, RV, WALL, WALL])  # theirs: 1 muscle, 2 LV, 3 RV, 4 and 5 diseased muscle
    labels, exact = pb.Labels(numbers[drawn.data.long()], drawn.space), None
    print(f"{len(frames)} frames of CineMyoPS, from PULLBACK_DATA")
else:
    beat = pb.phantom.beating_heart(20, space=pb.phantom.heart_space(shape=(112, 112), spacing=(1.6, 1.6)))
    frames, labels, exact = beat.frames, beat.labels[0], beat.transforms
    print(f"{len(frames)} frames of a synthetic heart")

recipe = pb.recipes.cine()
dense = recipe.stages[0]
smoother = replace(recipe, stages=(replace(dense, model=replace(dense.model, smooth_total_voxels=1.2)),))
tracking = pb.track(frames, smoother, labels=labels)
print(f"{tracking}; after the whole beat points miss by {tracking.motion.drift_mm:.2f} mm")
assert tracking.ok
assert tracking.motion.drift_mm < 1.5

area = [int((at.data == LV).sum()) * float(np.prod(labels.space.spacing[-2:])) / 100 for at in tracking.labels(labels)]
es = int(np.argmin(area))
assert area[es] < 0.65 * area[0]
assert abs(area[-1] - area[0]) < 0.25 * area[0]  # it fills again

fig, axes = plt.subplots(1, 4, figsize=(10, 2.7), width_ratios=(1, 1, 1, 1.6))
chosen = (0, es, (es + len(frames)) // 2)
carried_labels = list(tracking.labels(labels))
for axis, t in zip(axes, chosen, strict=False):
    axis.imshow(frames[t].numpy().squeeze())
    for k in COLOURS:
        axis.contour(carried_labels[t].numpy().squeeze() == k, levels=[0.5], colors=COLOURS[k], linewidths=1.2)
    axis.set(title=f"frame {t}")
    axis.set_axis_off()
axes[3].plot(area, "o-", ms=3)
axes[3].plot(es, area[es], "o", color="C1", label="end of systole")
axes[3].set(xlabel="frame", title="left ventricle, area in cm²", ylim=(0, None), xticks=range(0, len(frames), 4))
axes[3].legend()
plt.show()

# %%
# Exercise
# --------
# From the motion to the **strain**. Let :math:`u_t` be the displacement from ED to frame *t* in mm and
# :math:`F = I + \nabla u_t`. A short line of muscle along the unit vector :math:`n` has at *t* the length
# :math:`|F n|` times that at ED. The **Green-Lagrange strain** is
#
# .. math::  E = \tfrac12\,(F^\mathsf{T} F - I), \qquad n^\mathsf{T} E\, n = \tfrac12\,(|F n|^2 - 1) .
#
# In the heart's own directions: **radial**, away from the middle of the left ventricle, and **circumferential**, around
# it. Compute both on the myocardium at the end of systole. Before that: which signs do you expect?
#
# .. dropdown:: Hint
#
#    ``in_voxels`` gives the field in (row, column) voxels; times the spacing that is mm. ``np.gradient`` wants the
#    spacing, too: a gradient per voxel of a field in mm is a common error. The middle is the mean place of the
#    myocardium; the circumferential direction is the radial one, turned by a quarter.
#
# Solution
# --------
# The wall shortens around the cavity (negative) and, since muscle keeps its volume, becomes thicker (positive).

spacing = np.array(labels.space.spacing[-2:])
inside = labels.numpy().squeeze() == WALL
vectors = in_voxels(tracking.transforms[es]).reshape(2, *inside.shape)
u = vectors * spacing[:, None, None]  # (row, column) in mm

gradient = np.stack([np.gradient(each, *spacing) for each in u])  # [i, j] = change of u_i along axis j
F = gradient + np.eye(2)[:, :, None, None]
E = (np.einsum("ki...,kj...->ij...", F, F) - np.eye(2)[:, :, None, None]) / 2

places = np.indices(inside.shape) * spacing[:, None, None]
radial = places - places[:, inside].mean(axis=1)[:, None, None]
radial /= np.maximum(np.linalg.norm(radial, axis=0), 1e-9)
around = np.stack([-radial[1], radial[0]])
E_rr = np.einsum("i...,ij...,j...->...", radial, E, radial)[inside]
E_cc = np.einsum("i...,ij...,j...->...", around, E, around)[inside]
print(f"by hand: radial {100 * E_rr.mean():.1f} %, circumferential {100 * E_cc.mean():.1f} %")
assert E_cc.mean() < -0.05
assert E_rr.mean() > 0.1

# %%
# ``pb.cardiac.strain`` does the same in world coordinates, for slices and stacks, and counts sectors from the septum
# (:doc:`/methods/strain`). It agrees:

ours = pb.cardiac.strain(tracking.transforms[es], labels)
print(ours)
assert abs(ours.mean_radial - E_rr.mean()) < 0.01
assert abs(ours.mean_circumferential - E_cc.mean()) < 0.01

# %%
# The strain picture: maps at the end of systole, and the means over the whole beat.

strains = [pb.cardiac.strain(transform, labels) for transform in tracking.transforms]
curves = {
    "radial": [100 * s.mean_radial for s in strains],
    "circumferential": [100 * s.mean_circumferential for s in strains],
}

row, column = np.nonzero(inside)
fig, axes = plt.subplots(1, 3, figsize=(10, 3.4), width_ratios=(1, 1, 1.3))
for axis, name, limit in zip(axes, curves, (80, 40), strict=False):
    axis.imshow(frames[0].numpy().squeeze())
    values = 100 * getattr(strains[es], name).numpy().squeeze()
    shown = axis.imshow(values, cmap="RdBu_r", vmin=-limit, vmax=limit)
    axis.set_axis_off()
    axis.set(title=f"{name}, end of systole")
    axis.set(xlim=(column.min() - 15, column.max() + 15), ylim=(row.max() + 15, row.min() - 15))
    fig.colorbar(shown, ax=axis, label="Green-Lagrange strain, %", location="bottom")
for name, curve in curves.items():
    axes[2].plot(curve, label=name)
axes[2].axhline(0, color="k", lw=0.6)
axes[2].set(xlabel="frame", title="mean over the wall, %", xticks=range(0, len(frames), 4))
if exact is not None:
    truth = [pb.cardiac.strain(transform, labels, step_voxels=0.1) for transform in exact]
    axes[2].plot([100 * s.mean_radial for s in truth], "k:", label="exact")
    axes[2].plot([100 * s.mean_circumferential for s in truth], "k:")
axes[2].legend()
plt.show()

assert min(curves["circumferential"]) < -5
assert max(curves["radial"]) > 15
assert abs(curves["circumferential"][-1]) < 0.6 * abs(min(curves["circumferential"]))  # it relaxes again
if exact is not None:
    misses = {
        n: max(abs(100 * getattr(s, f"mean_{n}") - c) for s, c in zip(truth, curves[n], strict=True)) for n in curves
    }
    print("largest error of a mean over the beat, percentage points:", {n: round(v, 2) for n, v in misses.items()})
    assert misses["circumferential"] < 1.5
    assert misses["radial"] < 5

# %%
# How far to trust it
# -------------------
#
# On the synthetic heart both curves lie near the exact ones; radial strain pays a little for the smoothness. On a
# real one nobody knows the truth, but the signs are right, and one can say how far to trust the numbers.
# Circumferential strain of the whole wall is what programs for this agree on best; a healthy mean is about -18 % (as
# shortening; see the last question). Radial strain is the weak one: the wall is only some pixels thick, and the small
# muscles inside the cavity merge with it when it empties, which looks like thickening, so that it often comes out too
# large. Single sectors are less certain than means.

sectors = strains[es].by_sector(strains[es].circumferential)
print("circumferential by sector, %:", {name: round(100 * value) for name, value in sectors.items()})
assert len(sectors) == 6

# %%
# What do you expect if ...
# -------------------------
#
# .. dropdown:: ... the heart only turns about its axis, and does nothing else?
#
#    No strain: :math:`F` is a rotation, :math:`F^\mathsf{T}F = I`. That is what the square is for;
#    :math:`(\nabla u + \nabla u^\mathsf{T})/2`, the strain of small motions, would see a shrinking that is not there.

turn = np.deg2rad(20)
F_turn = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
small = (F_turn + F_turn.T) / 2 - np.eye(2)
assert np.allclose((F_turn.T @ F_turn - np.eye(2)) / 2, 0)
print(f"turned by 20 degrees: Green-Lagrange 0 %, small-motion formula {100 * small[0, 0]:.1f} %")
assert small[0, 0] < -0.05

# %%
# .. dropdown:: ... the wall turns, but the pictures show a smooth ring that looks the same from all sides?
#
#    The registration cannot see it: where there is no texture along the wall, motion along the wall is whatever
#    smoothness makes of it. Dice does not see it either. Twist from plain cine images is to be read with caution.
#
# .. dropdown:: ... another paper says -20 % where you find -18 %, of the same heart?
#
#    Ask for its definition. Shortening to 0.8 of the length is -20 % as engineering strain
#    :math:`\lambda - 1`, -18 % as Green-Lagrange strain :math:`(\lambda^2 - 1)/2`, -22 % as a logarithm. For thickening
#    to 1.4 it is 40, 48 and 34 %.

for stretch, expected in ((0.8, (-20, -18, -22)), (1.4, (40, 48, 34))):
    found = (stretch - 1, (stretch**2 - 1) / 2, np.log(stretch))
    assert np.allclose(100 * np.array(found), expected, atol=0.5)

# %%
# .. dropdown:: ... ES is taken as the fixed image, and ED as the moving one?
#
#    Then lengths are compared with those at ES, and all signs change: radial becomes negative and circumferential
#    positive, and by other amounts, since the reference is another. Strain curves begin at the end of diastole.

backward = pb.cardiac.strain(tracking.transforms[es].inverse(), carried_labels[es])
print(backward)
assert backward.mean_circumferential > 0 > backward.mean_radial
