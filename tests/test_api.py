"""The front door: whatever a user holds goes in, and what comes out is the same."""

from dataclasses import replace

import nibabel
import numpy as np
import pytest
import SimpleITK
import torch

import pullback as pb
from pullback.api import find_recipe
from pullback.errors import InputError, RecipeError
from pullback.registration import recipe_file


@pytest.fixture(scope="module")
def pair():
    return pb.phantom.make("pair", shape=(48, 52), spacing=(5, 5))


@pytest.fixture(scope="module")
def files(pair, tmp_path_factory):
    folder = tmp_path_factory.mktemp("api")
    for name in ("fixed", "moving"):
        pb.write_image(getattr(pair, name), folder / f"{name}.nii.gz")
    pb.write_image(pair.moving_labels, folder / "seg.nii.gz")
    return folder


@pytest.fixture(scope="module")
def result(files):
    return pb.register(files / "fixed.nii.gz", files / "moving.nii.gz", "rigid")


def same(a: pb.Transform, b: pb.Transform) -> bool:
    points = torch.tensor([[-120.0, -110.0], [-60.0, -150.0], [-200.0, -30.0]], dtype=torch.float64)
    return bool(torch.equal(a(points), b(points)))


# ---- what goes in ----


@pytest.mark.parametrize("kind", ["str", "Image", "nibabel", "SimpleITK"])
def test_images_may_be_whatever_a_user_holds(files, pair, result, kind):
    take = {
        "str": lambda name: str(files / f"{name}.nii.gz"),
        "Image": lambda name: getattr(pair, name),
        "nibabel": lambda name: nibabel.load(files / f"{name}.nii.gz"),
        "SimpleITK": lambda name: SimpleITK.ReadImage(str(files / f"{name}.nii.gz")),
    }[kind]
    again = pb.register(take("fixed"), take("moving"), "rigid")
    assert same(again.transform, result.transform)
    assert again.fixed.space.same_as(result.fixed.space)


def test_bare_arrays_and_tensors_mean_the_same_and_may_be_mixed(pair):
    fixed, moving = pair.fixed.numpy(), pair.moving.numpy()
    arrays = pb.register(fixed, moving, "rigid")
    tensors = pb.register(torch.from_numpy(fixed), pb.Image.of(moving), "rigid")
    assert same(arrays.transform, tensors.transform)
    assert arrays.fixed.space.spacing == (1.0, 1.0)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"fixed": None}, "there is no fixed image: got None"),
        ({"moving": 3}, "cannot take a int as an image"),
        ({"moving": np.zeros((6, 48, 52)) + np.arange(52)}, "fixed is 2D but moving is 3D"),
        ({"moving": np.full((48, 52), np.nan)}, "the moving image has 2496 voxels that are NaN or infinite"),
        ({"fixed": np.ones((48, 52))}, "the fixed image is constant"),
        ({"fixed": np.eye(3)}, "the fixed image is too small"),
        ({"fixed": np.array([["a", "b"]])}, "real numbers"),
        ({"fixed": "nowhere.nii.gz"}, r"cannot read nowhere\.nii\.gz: there is no such file"),
        ({"fixed_mask": np.ones((5, 5))}, "the fixed mask lies on"),
        ({"moving_mask": np.zeros((48, 52))}, "the moving mask is empty"),
        ({"recipe": "elastic"}, "there is no recipe 'elastic'; choose one of deformable"),
        ({"recipe": "nowhere.yaml"}, r"nowhere\.yaml: there is no such file"),
        ({"initial": "nowhere.h5"}, r"cannot read nowhere\.h5"),
        ({"initial": pb.Affine.identity(3)}, "the images are 2D but the initial transform is 3D"),
        ({"device": "tpu"}, "there is no device 'tpu'; choose auto, cpu, cuda or mps"),
        ({"device": "cpu:x"}, "there is no device 'cpu:x'"),
        ({"device": "cuda:99"}, "'cuda:99' is not among them"),
        ({"threads": 0}, "the number of threads must be at least 1; got 0"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_line(pair, change, said, unchecked):
    given = {"fixed": pair.fixed.numpy(), "moving": pair.moving.numpy(), "recipe": "rigid"} | change
    with pytest.raises(InputError, match=said) as raised:
        pb.register(given.pop("fixed"), given.pop("moving"), given.pop("recipe"), **given)
    assert "\n" not in str(raised.value)


def test_a_mask_counts_above_zero_whatever_its_values(pair):
    mask = np.zeros(pair.fixed.space.shape)
    mask[8:40, 8:44] = 255
    space = pair.fixed.space
    many, ones = (pb.register(pair.fixed, pair.moving, "rigid", fixed_mask=pb.Image.of(m, space=space))
                  for m in (mask, mask / 255))  # fmt: skip
    assert same(many.transform, ones.transform)


def test_a_picture_registers_with_a_volume_of_one_slice(pair):
    matrix = torch.eye(4, dtype=torch.float64)
    matrix[:3, :3] = torch.tensor([[0.0, 0.0, -5.0], [0.0, -5.0, 0.0], [8.0, 0.0, 0.0]])
    slab = pb.Image(pair.moving.data[:, None], pb.Space((1, *pair.moving.space.shape), matrix))
    for fixed, moving in ((pair.fixed, slab), (slab, pair.fixed)):
        mixed = pb.register(fixed, moving, "rigid", fixed_mask=pb.Image(torch.ones_like(fixed.data), fixed.space))
        assert mixed.ok
        assert mixed.warped.space.shape == (1, 48, 52)
        assert mixed.fixed.space.spacing == pytest.approx((8.0, 5.0, 5.0))
    flat = pb.register(pair.fixed, pair.moving, "affine")  # "rigid" searches pictures, not volumes
    deep = pb.register(pair.fixed, slab, "affine")
    assert float((deep.warped.data[:, 0] - flat.warped.data).abs().mean()) < 5e-3


# ---- recipes ----


def test_a_recipe_may_be_a_name_a_file_or_a_value(pair, result, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yml").write_text(recipe_file.to_yaml(pb.recipes.named("rigid")))
    (tmp_path / "mine").write_text(recipe_file.to_yaml(pb.recipes.named("rigid")))
    for recipe in (pb.recipes.named("rigid"), "mine.yml", tmp_path / "mine.yml", "mine"):
        assert find_recipe(recipe) == pb.recipes.named("rigid")
    assert find_recipe("default") == pb.recipes.named("deformable")
    (tmp_path / "rigid").write_text("a file of that name is not meant")
    assert find_recipe("rigid") == pb.recipes.named("rigid")
    assert same(pb.register(pair.fixed, pair.moving, "mine.yml").transform, result.transform)


def test_the_defaults_are_the_deformable_recipe(pair):
    small = pb.phantom.make("pair", shape=(24, 24), spacing=(10, 10))
    assert pb.register(small.fixed, small.moving).recipe.name == "deformable"


@pytest.mark.parametrize("bad", ["", ".", "no/such/folder"])
def test_a_name_that_is_no_recipe_is_refused(bad):
    with pytest.raises(RecipeError, match="there is no recipe"):
        find_recipe(bad)


# ---- how it runs ----


def test_the_same_input_gives_the_same_bits(pair):
    first, second = (pb.register(pair.fixed, pair.moving, "affine", seed=5) for _ in range(2))
    assert same(first.transform, second.transform)
    assert torch.equal(first.warped.data, second.warped.data)


def test_settings_are_put_back_afterwards_also_when_it_fails(pair):
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    pb.register(pair.fixed, pair.moving, "rigid", threads=2, seed=9)
    assert torch.get_num_threads() == threads
    with pytest.raises(InputError):
        pb.register(pair.fixed, np.ones((48, 52)), "rigid", threads=2, seed=9)
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), state)


def test_where_it_came_from_is_written_down(files, result):
    made = result.provenance
    assert (made["fixed"], made["moving"]) == (str(files / "fixed.nii.gz"), str(files / "moving.nii.gz"))
    assert made["pullback"] == pb.__version__
    assert made["torch"] == torch.__version__
    assert (made["device"], made["seed"], made["threads"]) == ("cpu", 0, torch.get_num_threads())


def test_the_watcher_sees_the_share_of_the_work_grow(pair):
    steps = []
    recipe = pb.recipes.named("affine")
    whole = sum(stage.work for stage in recipe.stages)
    pb.register(pair.fixed, pair.moving, recipe, watch=steps.append)
    shares = [step.share for step in steps]
    assert shares == sorted(shares)
    assert shares[0] == pytest.approx(1 / recipe.stages[1].schedule.levels[0].shrink ** 2 / whole)
    left = 1 - steps[-1].step / steps[-1].steps
    assert shares[-1] == pytest.approx(1 - left * recipe.stages[-1].work / whole)
    assert {step.stage for step in steps} == {"rigid", "affine", "settle"}
    assert all(1 <= step.level <= step.levels and 1 <= step.step <= step.steps for step in steps)


def test_an_initial_transform_is_where_it_starts(pair, tmp_path):
    shift = pb.Affine.translation([40.0, 0.0])
    far = pb.Image(pair.fixed.data, pb.Space(pair.fixed.space.shape, shift.matrix @ pair.fixed.space.matrix))
    recipe = pb.recipes.named("rigid")
    last = replace(recipe, stages=recipe.stages[1:])  # without the search for centres
    pb.write_transform(shift, tmp_path / "shift.tfm")
    for initial in (shift, tmp_path / "shift.tfm", str(tmp_path / "shift.tfm")):
        found = pb.register(pair.fixed, far, last, initial=initial)
        assert torch.allclose(found.transform.matrix, shift.matrix, atol=0.05)


# ---- apply ----


def test_apply_gives_back_the_kind_that_it_was_given(pair, result, files):
    space = pair.fixed.space
    image = pb.apply(result.transform, files / "moving.nii.gz", onto=space)
    assert torch.allclose(image.data, result.warped.data)
    labels = pb.apply(result.transform, pair.moving_labels, onto=files / "fixed.nii.gz")
    assert isinstance(labels, pb.Labels)
    assert set(labels.values) <= set(pair.moving_labels.values)
    points = pb.apply(result.transform, pb.Points(torch.tensor([[-100.0, -90.0]])))
    assert torch.equal(points.world, result.transform(torch.tensor([[-100.0, -90.0]])))
    nearest = pb.apply(result.transform, pair.moving, onto=space, interpolation="nearest")
    assert set(nearest.data.unique().tolist()) <= {0.0, *pair.moving.data.unique().tolist()}


def test_apply_needs_a_grid_for_an_image(result, pair):
    with pytest.raises(InputError, match="apply needs the grid"):
        pb.apply(result.transform, pair.moving)


def test_apply_refuses_what_is_of_another_dimension(result, pair):
    with pytest.raises(InputError, match=r"2D|3D"):
        pb.apply(result.transform, pb.Points(torch.zeros(1, 3)))
    with pytest.raises(InputError, match=r"2D|3D"):
        pb.apply(result.transform, pb.Image.of(np.zeros((4, 5, 6))), onto=pair.fixed.space)
