"""Templates of hearts of which the middle is known."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from pullback import io
from pullback.cohort import build_template
from pullback.cohort.running import NAME, Running
from pullback.energy import NCC, Energy
from pullback.errors import InputError, PullbackWarning
from pullback.image import Image
from pullback.optimise import GradientDescent, Greedy, Level, Linear, Schedule, Status
from pullback.optimise.optimiser import LBFGS
from pullback.phantom import heart, heart_space
from pullback.registration import Optimise, Recipe, register
from pullback.registration.outcome import Step
from pullback.transforms import Affine, resample

SPACE = heart_space(2, (64, 64), (4.2, 4.2))
AFFINE = Recipe("affine", "", (Optimise(Linear("affine"), Energy(NCC()), LBFGS(), Schedule((Level(2, 25),))),))
DENSE = Recipe(
    "dense",
    "",
    (Optimise(Greedy(3.0, 0.4), Energy(NCC()), GradientDescent(0.5), Schedule((Level(2, 25), Level(1, 5)))),),
)


@pytest.fixture(scope="module")
def sizes():
    """One heart at 0.8, 0.9, 1.1 and 1.2 of its size, whose middle is its own size."""
    image = heart(space=SPACE, noise=0.0).image
    grow = [Affine.similarity(1 / size, centre=SPACE.centre) for size in (0.8, 0.9, 1.1, 1.2)]
    return image, [resample(image, transform, SPACE, outside=None) for transform in grow]


def likeness(a: Image, b: Image) -> float:
    middle = (slice(None), slice(None), slice(10, -10), slice(10, -10))
    return 1 - float(NCC().loss(a.data[None][middle], b.data[None][middle])[0])


def test_the_template_has_the_size_in_the_middle_whichever_image_comes_first(sizes):
    image, images = sizes
    for order in (images, images[::-1]):
        result = build_template(order, AFFINE, iterations=4)  # the third still swings, its images 25 steps each
        assert result.image.space is order[0].space
        assert likeness(result.image, image) > 0.95 > likeness(order[0], image)
        assert [i.used for i in result.iterations] == [4] * 4
        assert result.iterations[-1].shape_mm < 0.6 * result.iterations[0].shape_mm
        assert result.iterations[-1].likeness > 0.9


def test_a_stopped_job_goes_on_to_the_same_template(sizes, tmp_path):
    _, images = sizes
    whole = build_template(images[:3], AFFINE, iterations=2, folder=tmp_path / "whole")

    class StopError(Exception):
        pass

    def stop(step: Step) -> None:
        if step.share > 0.7:  # in the second image of the second iteration
            raise StopError

    with pytest.raises(StopError):
        build_template(images[:3], AFFINE, iterations=2, folder=tmp_path / "parts", watch=stop)
    left = np.load(tmp_path / "parts" / NAME)
    assert b'"iteration": 1, "done": 1' in bytes(left["head"])
    left.close()
    parts = build_template(images[:3], AFFINE, iterations=2, folder=tmp_path / "parts")
    assert len(parts.iterations) == 1  # only what was left
    assert torch.allclose(parts.image.data, whole.image.data, atol=1e-5)
    names = sorted(p.name for p in (tmp_path / "parts").iterdir())
    assert names == ["template_0.nii.gz", "template_1.nii.gz", "template_2.nii.gz", NAME]


def test_more_iterations_go_on_from_the_last(sizes, tmp_path):
    _, images = sizes
    build_template(images[:2], AFFINE, iterations=1, folder=tmp_path)
    more = build_template(images[:2], AFFINE, iterations=2, folder=tmp_path)
    assert len(more.iterations) == 1
    again = build_template(images[:2], AFFINE, iterations=2, folder=tmp_path)
    assert again.iterations == ()
    assert torch.allclose(again.image.data, more.image.data, atol=1e-6)


def test_a_folder_of_other_images_is_refused(sizes, tmp_path):
    _, images = sizes
    build_template(images[:2], AFFINE, iterations=1, folder=tmp_path)
    with pytest.raises(InputError, match="other images or other settings"):
        build_template(images[:2], AFFINE, iterations=1, folder=tmp_path, sharpen=0.5)
    with pytest.raises(InputError, match="other images or other settings"):
        build_template(images[1:3], AFFINE, iterations=1, folder=tmp_path)
    (tmp_path / NAME).write_bytes(b"PK not an archive")
    with pytest.raises(InputError, match="damaged"):
        build_template(images[:2], AFFINE, iterations=1, folder=tmp_path)


def test_different_hearts_and_files(tmp_path):
    paths = []
    for seed in range(3):
        paths.append(tmp_path / f"{seed}.nii.gz")
        io.write_image(heart(space=SPACE, seed=seed).image, paths[-1])
    plain = build_template(paths, DENSE, iterations=2)
    sharp = build_template(paths, DENSE, iterations=1, sharpen=1.0)
    first, last = plain.iterations
    assert last.likeness > first.likeness > 0.9
    detail = [float(torch.diff(r.image.data).abs().mean()) for r in (plain, sharp)]
    assert detail[1] > 1.05 * detail[0]
    assert float(sharp.image.data.min()) >= 0


def test_an_image_that_cannot_be_registered_is_left_out(sizes, monkeypatch):
    _, images = sizes
    bad = {id(images[2])}

    def sometimes(fixed, moving, recipe, **more):
        result = register(fixed, moving, recipe, **more)
        return replace(result, status=Status.diverged) if id(moving) in bad else result

    monkeypatch.setattr("pullback.cohort.template.register", sometimes)
    with pytest.warns(PullbackWarning, match="image 2 is left out of iteration 1"):
        result = build_template(images[:3], AFFINE, iterations=1)
    assert result.iterations[0].used == 2
    assert [number for number, _ in result.iterations[0].left_out] == [2]
    bad.add(id(images[0]))
    with pytest.warns(PullbackWarning), pytest.raises(InputError, match="only 1 of 3 images"):
        build_template(images[:3], AFFINE, iterations=1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda images: (images[:1], {}), "at least two images"),
        (lambda images: (images, {"iterations": 0}), "at least one iteration"),
        (lambda images: ([images[0], heart(3, space=heart_space(3, (4, 16, 16))).image], {}), "image 1 is 3D"),
    ],
)
def test_what_cannot_be_a_template(sizes, change, message):
    images, options = change(sizes[1])
    with pytest.raises(InputError, match=message):
        build_template(images, AFFINE, **options)


def test_running_sums():
    running = Running.begin(0, SPACE, 1).leave_out("why").add(torch.ones(1, 64, 64), torch.ones(2, 64, 64))
    assert (running.done, running.used, running.left_out) == (2, 1, ((0, "why"),))
