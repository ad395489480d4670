"""Predict: a network's answer comes in mm wherever the images lie, and is not believed where it should not be."""

from dataclasses import replace

import pytest
import torch

import pullback as pb
from pullback.errors import ModelError, PullbackWarning, RecipeError
from pullback.learn import Card, Network, Pyramid, VoxelMorph, predict, save_weights
from pullback.learn.data.scaling import canonical
from pullback.learn.networks import Prediction
from pullback.optimise import Status
from pullback.registration import Predict, recipe_file
from pullback.registration.predict import predict_by
from pullback.registration.recipes import learned, named
from pullback.registration.recipes.learned import refinement
from pullback.space import Space
from pullback.transforms import Affine


class Shifting(VoxelMorph):
    """Says of every pair that it is shifted by so many voxels along each axis; there and back are opposite.

    It is asked about each slice, about each as it has aligned it (where it says the same by another factor), and about
    some of them exchanged.
    """

    def __init__(self, shift, back=-1.0, again=0.0, slices=1):
        super().__init__(dimension=len(shift), encoder=(4,), decoder=(4, 4))
        self.shift, self.seen = torch.tensor(shift), []
        self.ways = [1.0] * slices + [again] * slices + [back] * min(slices, 4)

    def forward(self, fixed, moving):
        way = self.ways[len(self.seen) % len(self.ways)]
        self.seen.append(fixed)
        field = way * self.shift.view(1, -1, *[1] * (fixed.ndim - 2)).expand(len(fixed), -1, *fixed.shape[2:])
        return Prediction(field.contiguous(), field)


def textured(space, shift_mm=None):
    """Waves in world mm, so that a shift is exact."""
    points = space.grid() if shift_mm is None else space.grid() + torch.tensor(shift_mm, dtype=torch.float64)
    waves = torch.sin(points * 0.31).sum(dim=-1) + torch.sin(points[..., 0] * 0.17 + points[..., 1] * 0.23)
    return pb.Image(waves.float()[None], space)


def mm_of(space, voxels):
    """Voxels along the axes as a network is shown them."""
    return (canonical(space).linear @ torch.tensor(voxels, dtype=torch.float64)).tolist()


def test_voxels_of_an_oblique_grid_become_mm(dimension, oblique_space):
    space = oblique_space(dimension)
    shift = [1.0, 2.0, -1.0][:dimension]
    image = textured(space).data[None]
    answer = predict(Shifting(shift), image, space, image, space)
    moved = answer.displacement(space.centre[None])[0] - space.centre
    torch.testing.assert_close(moved, torch.tensor(mm_of(space, shift), dtype=torch.float64), atol=1e-5, rtol=0)
    assert answer.inverse_error == pytest.approx(0, abs=1e-6)
    assert answer.motion == pytest.approx(float(torch.tensor(shift).norm()))


def test_a_stage_pulls_the_moving_image_back(oblique_space):
    space = oblique_space(2, (48, 60))
    shift = [2.0, 3.0]
    moving = textured(space)
    fixed = textured(space, mm_of(space, shift))
    result = pb.register(fixed, moving, learned(Shifting(shift), align=False))
    assert result.ok
    assert result.quality.loss_after < 0.02 < result.quality.loss_before
    assert result.outcomes[0].notes[0].startswith("the network moves 3.61 voxels")


def test_the_network_works_on_voxels_of_its_own_size_and_after_the_initial_transform(oblique_space):
    space = oblique_space(2, (40, 50))
    model = Shifting([1.0, 0.0])
    initial = Affine.translation([3.0, -2.0])
    moving, fixed = textured(space), textured(space, [3.0, -2.0])
    answer = predict(model, fixed.data[None], space, moving.data[None], space, initial, (3.0, 1.6))
    grid = answer.displacement.space
    assert grid.spacing == pytest.approx((3.0, 1.6))
    torch.testing.assert_close(grid.centre, space.centre, atol=1e-9, rtol=0)
    inner = (slice(None), slice(None), slice(4, -4), slice(4, -4))
    torch.testing.assert_close(model.seen[0][inner], model.seen[2][inner], atol=0.1, rtol=0)  # both images alike there
    assert float(answer.displacement.field.norm(dim=0).mean()) == pytest.approx(3.0, rel=1e-4)


def test_a_2d_network_goes_through_a_stack_slice_by_slice():
    matrix = torch.diag(torch.tensor([1.4, 1.4, 8.0, 1.0], dtype=torch.float64))
    space = Space((30, 34, 6), matrix)  # the thick axis is the last one
    model = Shifting([1.0, -2.0], slices=6)
    image = textured(space).data[None]
    answer = predict(model, image, space, image, space)
    assert len(model.seen) == 6 + 6 + 4
    assert model.seen[0].shape == (1, 1, 34, 30)  # towards the back, towards the left
    moved = answer.displacement(space.centre[None])[0] - space.centre
    torch.testing.assert_close(moved, torch.tensor([2.8, -1.4, 0.0], dtype=torch.float64), atol=1e-5, rtol=0)


@pytest.mark.parametrize("spacing_mm", [None, (1.7, 1.2, 1.2)])
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 0, 2)])
def test_how_a_file_stores_the_axes_changes_nothing(oblique_space, order, spacing_mm):
    """The same two volumes, stored with other axes and other directions: the same displacement in mm."""
    torch.manual_seed(3)
    model = Pyramid(dimension=3, encoder=(4, 6), decoder=(6,), flow_scale=10.0)
    for compare in model.comparisons:
        torch.nn.init.normal_(compare.last.weight, std=0.1)
    space = canonical(oblique_space(3, (10, 12, 9)))
    images = [textured(space), textured(space, [1.0, -2.0, 0.5])]
    points = space.to_world(torch.rand(20, 3, dtype=torch.float64) * 8)
    answers = []
    for flips in ((), (0,), (1, 2)):
        stored, data = space.permute(order), [image.data.permute(0, *(1 + a for a in order)) for image in images]
        for axis in flips:
            stored, data = stored.flip(axis), [each.flip(axis + 1) for each in data]
        fixed, moving = (each.contiguous()[None] for each in data)
        answers.append(predict(model, fixed, stored, moving, stored, None, spacing_mm).displacement(points) - points)
    assert float(answers[0].norm(dim=1).mean()) > 0.1
    for answer in answers[1:]:
        torch.testing.assert_close(answer, answers[0], atol=1e-4, rtol=0)


def test_what_does_not_suit_the_network_is_refused():
    space = Space.of_array((16, 16))
    image = torch.rand(1, 1, 16, 16)
    with pytest.raises(ModelError, match="for volumes"):
        predict(Shifting([0.0, 0.0, 0.0]), image, space, image, space)
    with pytest.raises(ModelError, match=r"1 channel\(s\); these have 2"):
        predict(Shifting([0.0, 0.0]), image.expand(1, 2, 16, 16), space, image, space)


def test_what_is_left_is_composed_with_what_was_said(oblique_space):
    space = oblique_space(2)
    image = textured(space).data[None]
    answer = predict(Shifting([1.0, -2.0], again=0.5), image, space, image, space)
    assert answer.left == pytest.approx(0.5 * answer.motion)
    moved = answer.displacement(space.centre[None])[0] - space.centre
    torch.testing.assert_close(moved, torch.tensor(mm_of(space, [1.5, -3.0]), dtype=torch.float64), atol=1e-5, rtol=0)


@pytest.fixture
def pair(oblique_space):
    space = oblique_space(2, (48, 60))
    return textured(space, mm_of(space, [2.0, 3.0])), textured(space)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (Shifting([-4.0, -4.0]), "did not become more alike"),
        (Shifting([8.0, -4.0]), "edges in the images did not become more alike"),
        (Shifting([2.0, 3.0], back=1.0), "there and back misses by 7.21 voxels of 3.61"),
        (Shifting([2.0, 3.0], again=0.8), "asked again it moves another 2.88 voxels after 3.61"),
    ],
)
def test_an_answer_that_is_not_to_be_trusted_is_replaced_and_that_is_said(pair, model, said):
    fallback = replace(named("deformable"), stages=named("affine").stages[:2])
    with pytest.warns(PullbackWarning, match="registered without it instead"):
        result = pb.register(*pair, learned(model, fallback=fallback, align=False))
    assert result.ok
    assert result.quality.loss_after < 0.1
    assert said in result.outcomes[0].notes[0]
    assert len(result.outcomes) == 1
    assert result.outcomes[0].history


def test_a_folded_answer_is_not_trusted(pair):
    class Folding(Shifting):
        def forward(self, fixed, moving):
            rows = torch.arange(fixed.shape[2]).view(1, 1, -1, 1)
            field = torch.cat([2.0 * (rows % 3 - 1).expand_as(fixed), torch.zeros_like(fixed)], dim=1)
            return Prediction(field, field)

    alone = replace(predict_by(Folding([0.0, 0.0])), most_inverse_error=1000.0)
    result = pb.register(*pair, pb.Recipe("r", "r", (alone,)))
    assert result.status is Status.diverged
    assert "% of the voxels fold" in result.outcomes[0].notes[0]


def test_images_that_do_not_meet_are_no_matter_for_a_network(pair):
    far = Affine.translation([1e4, 0.0])
    result = pb.register(*pair, pb.Recipe("r", "r", (predict_by(Shifting([0.0, 0.0])),)), initial=far)
    assert result.status is Status.no_overlap


@pytest.fixture
def weights(tmp_path):
    model = VoxelMorph(encoder=(4, 4), decoder=(4, 4, 4))
    return save_weights(model, Card(Network.of(model), (1.5, 0.8), (48, 60)), tmp_path / "model.safetensors")


def test_a_recipe_around_a_file_is_written_and_read_and_runs(weights, pair, tmp_path):
    recipe = learned(weights, finetune=6)
    path = tmp_path / "recipe.yaml"
    path.write_text(recipe_file.to_yaml(recipe), encoding="utf-8")
    assert recipe_file.read(path) == recipe
    with pytest.warns(PullbackWarning, match="not trusted"):  # it has learned nothing
        result = pb.register(*pair, path)
    assert [len(level.losses) for level in result.outcomes[-1].history] == [6, 4, 2]
    folder = result.save(tmp_path / "result")
    assert pb.load(folder, *pair).recipe == recipe


def test_a_file_that_changed_is_noticed(weights, pair):
    recipe = learned(weights)
    assert predict_by(weights.parent) == predict_by(weights)
    other = VoxelMorph(encoder=(4, 4), decoder=(4, 4, 4))
    save_weights(other, Card(Network.of(other), (1.5, 0.8), (48, 60)), weights)
    with pytest.raises(ModelError, match="is not the file that this recipe was made with"):
        pb.register(*pair, recipe)


def test_a_network_in_memory_is_not_in_the_file(pair, tmp_path):
    recipe = learned(Shifting([2.0, 3.0]))
    path = tmp_path / "recipe.yaml"
    path.write_text(recipe_file.to_yaml(recipe), encoding="utf-8")
    again = recipe_file.read(path)
    assert isinstance(again.stages[1], Predict)
    with pytest.raises(ModelError, match="held in memory"):
        pb.register(*pair, again)


def test_what_refines_is_a_stage_or_a_number_of_steps(weights):
    assert pb.recipes.default().dense == named("deformable").stages[-2]
    assert learned(weights, finetune=pb.recipes.default().dense).stages[-1] == named("deformable").dense
    sax = named("cardiac-sax")
    assert [level.steps for level in refinement(30, sax).schedule.levels] == [30, 20, 10]
    assert [level.steps for level in refinement(2, sax).schedule.levels] == [2, 2]
    assert learned(weights, finetune=9, fallback=sax).stages[-1].model == sax.dense.model
    with pytest.raises(RecipeError, match="at least one step"):
        refinement(0, sax)
    with pytest.raises(RecipeError, match="no stage that deforms"):
        _ = named("rigid").dense
