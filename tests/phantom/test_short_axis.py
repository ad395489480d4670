import numpy as np
import torch

from pullback.phantom import short_axis, short_axis_labels


def tutorial():
    """The tutorial's own code: the oracle."""
    image_size = (40, 64)
    center = [20, 32]
    r_lv = [6, 12]
    r_rv = [16, 20, 9, 12]
    y, x = np.ogrid[-center[0] : image_size[0] - center[0], -center[1] : image_size[1] - center[1]]
    mask_lv_endo = x**2 + y**2 <= r_lv[0] ** 2
    mask_lv_epi = x**2 + y**2 <= r_lv[1] ** 2
    lv_mask = np.zeros(image_size)
    lv_mask[mask_lv_epi] = 1
    lv_mask[mask_lv_endo] = 0
    mask_rv_epi = ((x**2) / r_rv[1] ** 2 + (y**2) / r_rv[3] ** 2) <= 1
    mask_rv_endo = ((x**2) / r_rv[0] ** 2 + (y**2) / r_rv[2] ** 2) <= 1
    rv_mask = np.zeros(image_size)
    rv_mask[mask_rv_epi] = 1
    rv_mask[mask_rv_endo] = 0
    rv_mask[:, center[1] :] = 0
    heart_mask = lv_mask + rv_mask
    heart_mask[heart_mask > 1] = 1
    return heart_mask, mask_lv_endo, mask_lv_epi, mask_rv_endo


def test_every_pixel_is_the_tutorials():
    heart, *_ = tutorial()
    assert np.array_equal(short_axis().numpy(), heart)
    assert short_axis().data.dtype == torch.float32


def test_labels_fill_what_the_walls_enclose():
    heart, lv_cavity, lv, rv_cavity = tutorial()
    labels = short_axis_labels().numpy()
    left = np.arange(64)[None, :] < 32
    assert np.array_equal(labels == 3, lv_cavity)
    assert np.array_equal(labels == 2, lv & ~lv_cavity)
    assert np.array_equal(labels == 1, rv_cavity & left & ~lv)
    assert heart[labels == 2].all()


def test_image_and_labels_lie_in_one_place():
    assert short_axis().space.same_as(short_axis_labels().space)
    assert short_axis().space.spacing == (1.0, 1.0)
