"""The compiled kernels give the same bits for every number of threads and on every instruction set."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from torch import Tensor

from pullback import ops
from pullback.ops import _native
from pullback.ops.sample import cpu as sample_cpu

pytestmark = pytest.mark.skipif(_native.missing() is not None, reason=str(_native.missing()))

SIZE = (29, 41, 67)  # work for several threads
FLAT = (301, 333)


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def gradients(call: Callable[..., Tensor], *tensors: Tensor) -> tuple[Tensor, ...]:
    tensors = tuple(t.clone().requires_grad_() for t in tensors)
    values = call(*tensors)
    return (values.detach(), *torch.autograd.grad(values, tensors, 0.5 + random(*values.shape, seed=9)))


def results(size: tuple[int, ...]) -> Iterator[tuple[str, tuple[Tensor, ...]]]:
    """What every kernel of these files answers, on one image size."""
    d = len(size)
    image, field = random(1, 2, *size, seed=1), 9 * random(1, d, *size, seed=2) - 4.5
    turned = torch.eye(d, d + 1, dtype=torch.float64)
    turned[0], turned[-1] = turned[-1].clone(), turned[0].clone()  # rows of the output run along slices of the image
    upright, mix = torch.eye(d, d + 1, dtype=torch.float64), torch.eye(d, dtype=torch.float64)
    for name, matrix in (("upright", upright), ("turned", turned)):
        for outside in (None, 0.0):
            for kind in ("nearest", "linear"):
                yield (
                    f"image of {kind} {name} {outside}",
                    gradients(lambda i, a=(matrix, field, mix), k=kind, o=outside: ops.sample(
                        i, *a, interpolation=k, outside=o), image),
                )  # fmt: skip
    matrix = upright.clone() + 0.01
    yield (
        "cubic",
        gradients(lambda m, u: ops.sample(image, m, u, mix, interpolation="cubic", outside=0.0), matrix, field),
    )
    yield "compose", gradients(lambda a, b: ops.compose(a, b, mix, 0.7), field, field.flip(2))
    yield "exponential", gradients(lambda v: ops.exponential(v, mix, 3), field)
    fixed, warped = image[:, :1], image[:, 1:]
    weight = random(1, 1, *size, seed=4)
    for name, w in (("plain", None), ("weighted", weight)):
        yield f"lncc {name}", gradients(lambda j, w=w: ops.lncc(fixed, j, (2,) * d, w), warped)
        yield f"mse {name}", gradients(lambda j, w=w: ops.mse(fixed, j, w), warped)
        yield f"ncc {name}", gradients(lambda j, w=w: ops.ncc(fixed, j, w), warped)
        yield f"histogram {name}", gradients(lambda j, w=w: ops.joint_histogram(fixed, j, 32, w), warped)
    yield "linear", gradients(lambda m, u: ops.sample(image, m, u, mix), matrix, field)
    yield "matrix alone", gradients(lambda m, x: ops.sample(image, m, field, x), matrix, mix)
    many, others = (ops.abreast(random(1, 19, *size, seed=n)) for n in (6, 7))
    yield "sampled mse", gradients(lambda m, u, x: ops.sampled_mse(many, others, m, u, x, weight), matrix, field, mix)
    yield "pair sums", tuple(ops.pair_sums(fixed, warped, matrix, field / 4, mix, weight, 0.4))
    places, spline = field / 3, random(1, d, *[n // 4 for n in size], seed=5)
    for name, at in (("upright", upright / 4), ("turned", turned / 4)):
        yield f"ffd_sample {name}", gradients(lambda c, u, a=at: ops.ffd_sample(c, a, u, mix), spline, places)
    yield "smooth", (ops.smooth(field, [1.7, 0.5, 2.6][:d]),)
    yield "force", (ops.force(image, image.flip(2), mix),)
    for name, coarse in (("half", tuple((n + 1) // 2 for n in size)), ("third", tuple(n // 3 for n in size))):
        vectors = 9 * random(1, d, *coarse, seed=8) - 4.5
        for outside in (None, 0.0):
            yield f"sample {name} {outside}", (ops.sample_coarse(image, matrix, vectors, mix, size, outside),)
        yield f"inside {name}", (ops.inside(size, matrix, vectors, mix, shape=size),)
        yield f"force {name}", (ops.force_coarse(image, image.flip(2), mix, coarse),)
    yield "inside", (ops.inside(size, matrix, field, mix),)
    yield "largest", (torch.tensor(ops.largest(field[0])),)
    yield "mind", (ops.mind(fixed, (1,) * d, (2,) * d),)
    yield "jacobian", (ops.jacobian(field, mix),)
    yield "resize", gradients(lambda i: ops.resize(i, tuple(n * 2 // 3 for n in size)), image)


@contextmanager
def threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("size", [SIZE, FLAT])
def test_every_number_of_threads_gives_the_same_bits(size):
    torch.manual_seed(0)
    with ops.use_kernels("cpu"), threads(1):
        expected = dict(results(size))
    for count in (2, 3, 5):
        with ops.use_kernels("cpu"), threads(count):
            for name, found in results(size):
                assert all(torch.equal(a, b) for a, b in zip(found, expected[name], strict=True)), (name, count)


def test_every_instruction_set_gives_the_same_bits(tmp_path):
    """Registrations follow their own losses: what differs in the last bit here differs by half a voxel in the end."""
    code = """
import sys, torch
sys.path.insert(0, sys.argv[1])
from test_native import SIZE, results
from pullback import ops
from pullback.ops import _native
from pullback.ops.sample import cpu as sample_cpu
with ops.use_kernels("cpu"):
    torch.save(dict(results(SIZE)), sys.argv[2])
print(_native.instruction_set())
"""
    answers = {}
    for isa in ("baseline", "avx2", "avx512"):
        file = tmp_path / f"{isa}.pt"
        command = [sys.executable, "-c", code, str(Path(__file__).parent), str(file)]
        environment = {**os.environ, "PULLBACK_ISA": isa}
        found = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()
        answers[found] = torch.load(file)
    expected = answers.pop("baseline")
    for isa, found in answers.items():
        for name, tensors in found.items():
            assert all(torch.equal(a, b) for a, b in zip(tensors, expected[name], strict=True)), (name, isa)


def test_slopes_that_were_kept_give_the_same_bits_as_a_second_reading(monkeypatch):
    for size in (SIZE, FLAT):
        d = len(size)
        image, field = random(2, 2, *size, seed=1), 9 * random(1, d, *size, seed=2) - 4.5
        matrix, mix = torch.eye(d, d + 1, dtype=torch.float64) + 0.01, torch.eye(d, dtype=torch.float64)
        for outside in (None, 0.0):
            answers = []
            for kept in (1 << 30, 0):
                monkeypatch.setattr(sample_cpu, "KEPT", kept)
                answers.append(
                    gradients(lambda m, x, i=image, f=field, o=outside: ops.sample(i, m, f, x, outside=o), matrix, mix)
                )
            assert all(torch.equal(a, b) for a, b in zip(*answers, strict=True))
            assert float(answers[0][1].abs().max()) > 1


def test_what_the_reference_does_is_not_recorded_as_the_kernels():
    image, matrix, mix = random(1, 1, 5, 6), torch.eye(2, 3, dtype=torch.float64), torch.eye(2, dtype=torch.float64)
    field = random(1, 2, 5, 6)
    learned, mixed = image.clone().requires_grad_(), mix.clone().requires_grad_()
    for arguments, kind, row in (
        ((image, matrix, field, mix), "nearest", "cpu"),
        ((image, matrix, field, mix), "cubic", "cpu"),
        ((learned, matrix, field, mix), "nearest", "cpu"),
        ((learned, matrix, field, mix), "linear", "cpu"),
        ((learned, matrix, field, mix), "cubic", "reference"),
        ((image, matrix, field, mixed), "linear", "cpu"),
        ((image, matrix, field, mixed), "cubic", "reference"),
        ((image.double(), matrix, field.double(), mix), "linear", "reference"),
    ):
        with ops.recorded() as log:
            ops.sample(*arguments, interpolation=kind)
        assert log == {"sample": row}, (kind, row)


def test_nearest_reads_the_very_voxel_that_the_reference_reads():
    """Labels at positions half-way between voxels, which a factor of two makes everywhere."""
    labels = torch.randint(0, 9, (1, 1, 24, 30, 36), generator=torch.Generator().manual_seed(0)).float()
    for factor, offset in ((2.0, 0.5), (0.5, -0.25), (0.1, 0.0), (1 / 3, 1 / 6), (1.5, 0.25)):
        matrix = factor * torch.eye(3, 4, dtype=torch.float64)
        matrix[:, 3] = offset
        for outside in (None, 0.0):
            answers = []
            for row in ("cpu", "reference"):
                with ops.use_kernels(row):
                    answers.append(
                        ops.sample(labels, matrix, shape=(31, 40, 50), interpolation="nearest", outside=outside)
                    )
            assert torch.equal(*answers), (factor, offset, outside)
