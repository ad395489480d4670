"""Every row of the table of kernels gives what the reference gives: values and gradients, at any size and layout.

A new row needs no new test: it is found in the table, asked what it supports, and compared. The reference itself is
compared with its own double-precision, contiguous answer here, and with independent answers in `tests/ops`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import torch
from torch import Tensor

from pullback import ops
from pullback.ops import _dispatch

SHAPES = [(9, 13), (3, 41), (1, 13), (13, 1), (5, 7, 11), (2, 3, 41), (1, 9, 13), (5, 1, 7), (5, 7, 1), (1, 1, 1)]
DOUBLE = {"matrix", "mix"}  # these stay in double precision, whatever the images are in
FINE = 1e-9
COARSE = {"lncc": 5e-4, "mind": 1e-4, "sampled_histogram": 2e-4}  # ratios of small differences
ROWS = [(op, row) for op, rows in _dispatch.ROWS.items() for row in rows]


@dataclass(frozen=True)
class Case:
    """One call of an op: its tensors by name, in double precision, and its other arguments."""

    op: str
    name: str
    tensors: dict[str, Tensor | None]
    options: dict[str, Any] = field(default_factory=dict)
    abreast: tuple[str, ...] = ()

    def call(self, tensors: dict[str, Tensor | None]) -> Tensor:
        tensors = {**tensors, **{name: ops.abreast(tensors[name]) for name in self.abreast}}
        result = getattr(ops, self.op)(**tensors, **self.options)
        return torch.cat([part.flatten() for part in result]) if isinstance(result, tuple) else result


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def batches() -> Iterator[tuple[int, int]]:
    yield from ((1, 1), (2, 2), (1, 2), (2, 1))


def sample_cases() -> Iterator[Case]:
    for size in SHAPES:
        d, shape = len(size), size[::-1]
        eye = torch.eye(d, d + 1, dtype=torch.float64)
        scale = torch.tensor([a / b for a, b in zip(size, shape, strict=True)], dtype=torch.float64)
        matrix, mix = scale[:, None] * eye + 0.1 * random(d, d + 1, seed=1), 0.5 + random(d, d, seed=2)
        for a, b in batches() if size == SHAPES[0] else [(1, 1)]:
            image, displacement = random(a, 2, *size, seed=3), 3 * random(b, d, *shape, seed=4) - 1.5
            tensors = {"image": image, "matrix": matrix, "displacement": displacement, "mix": mix}
            for interpolation in ("nearest", "linear", "cubic"):
                for outside in (None, 0.25):
                    options = {"interpolation": interpolation, "outside": outside}
                    yield Case("sample", f"{size} {a},{b} {interpolation} {outside}", tensors, options)
        for m in (matrix, torch.stack([matrix, 0.7 * matrix])):
            tensors = {"image": random(1, 1, *size, seed=3), "matrix": m}
            yield Case("sample", f"{size} matrix {tuple(m.shape)}", tensors, {"shape": shape, "outside": 0.0})


def compose_cases() -> Iterator[Case]:
    for size in SHAPES:
        d = len(size)
        for a, b in batches() if size == SHAPES[0] else [(1, 1)]:
            outer, inner = (4 * random(n, d, *size, seed=seed) - 2 for n, seed in ((a, 1), (b, 2)))
            tensors = {"outer": outer, "inner": inner, "mix": random(d, d, seed=3)}
            for scale in (1.0, -0.7):
                yield Case("compose", f"{size} {a},{b} {scale}", tensors, {"scale": scale})


def exponential_cases() -> Iterator[Case]:
    for size in SHAPES:
        tensors = {"velocity": 4 * random(2, len(size), *size, seed=1) - 2, "mix": random(len(size), len(size), seed=3)}
        for steps in (0, 1, 4):
            yield Case("exponential", f"{size} {steps}", tensors, {"steps": steps})


def smooth_cases() -> Iterator[Case]:
    for size in SHAPES:
        for sigmas in ((1.7, 0.6, 1.0), (0.0, 4.0, 0.3)):
            options = {"sigma_voxels": sigmas[: len(size)]}
            yield Case("smooth", f"{size} {sigmas}", {"image": random(2, 3, *size)}, options)


def whole_cases(op: str) -> Iterator[Case]:
    for size in SHAPES:
        tensors = {"fixed": random(2, 2, *size, seed=1), "warped": random(2, 2, *size, seed=2)}
        yield Case(op, f"{size}", tensors)
        yield Case(op, f"{size} weighted", {**tensors, "weight": random(2, 1, *size, seed=3)})


def pair_sums_cases() -> Iterator[Case]:
    for size in SHAPES:
        d, spatial = len(size), size[::-1]
        images = {"fixed": random(1, 1, *size, seed=1), "moving": random(1, 1, *spatial, seed=2)}
        matrix = 0.1 + torch.eye(d, d + 1, dtype=torch.float64).flip(0) + 0.1 * random(d, d + 1, seed=3)
        matrix[:, -1] += 0.3
        plain = {**images, "matrix": matrix}
        yield Case("pair_sums", f"{size}", plain, {"level": 0.4})
        moved = {"displacement": 3 * random(1, d, *size, seed=4) - 1.5, "mix": 0.3 + random(d, d, seed=5)}
        weight = random(1, 1, *size, seed=6)
        yield Case("pair_sums", f"{size} moved, weighted", {**plain, **moved, "weight": weight})


def sampled_histogram_cases() -> Iterator[Case]:
    for size in SHAPES:
        d, spatial = len(size), size[::-1]
        images = {"fixed": random(1, 1, *size, seed=1), "moving": 1.2 * random(1, 1, *spatial, seed=2) - 0.1}
        matrix = 0.1 + torch.eye(d, d + 1, dtype=torch.float64).flip(0) + 0.1 * random(d, d + 1, seed=3)
        matrix[:, -1] += 0.3
        moved = {"displacement": 3 * random(1, d, *size, seed=4) - 1.5, "mix": 0.3 + random(d, d, seed=5)}
        weight = random(1, 1, *size, seed=6)
        for bins in (5, 32):
            yield Case("sampled_histogram", f"{size} {bins}", {**images, "matrix": matrix}, {"bins": bins})
            tensors = {**images, "matrix": matrix, **moved, "weight": weight}
            yield Case("sampled_histogram", f"{size} {bins} moved, weighted", tensors, {"bins": bins})


def sampled_mse_cases() -> Iterator[Case]:
    for size in SHAPES:
        d, spatial = len(size), size[::-1]
        matrix = 0.1 + torch.eye(d, d + 1, dtype=torch.float64).flip(0) + 0.1 * random(d, d + 1, seed=3)
        moved = {"displacement": 3 * random(1, d, *size, seed=4) - 1.5, "mix": 0.3 + random(d, d, seed=5)}
        for c in (3, 17):
            brighter = sum(torch.meshgrid(*[0.3 * torch.arange(n) for n in spatial], indexing="ij"))  # no slope is lost
            images = {"fixed": random(1, c, *size, seed=1), "moving": random(1, c, *spatial, seed=2) + brighter}
            plain = {**images, "matrix": matrix, "weight": None}
            whole = {**images, "matrix": matrix, **moved, "weight": random(1, 1, *size, seed=6)}
            for tensors in (plain, whole):
                for abreast in ((), ("fixed", "moving"))[c // 17 :]:
                    weighted = "" if tensors["weight"] is None else ", moved and weighted"
                    yield Case("sampled_mse", f"{size} {c} {abreast}{weighted}", tensors, abreast=abreast)
    both = {"fixed": random(2, 2, 9, 13, seed=1), "moving": random(1, 2, 5, 6, seed=2)}
    yield Case("sampled_mse", "(9, 13), two of one", {**both, "matrix": 0.37 * random(2, 3, seed=3)})


def lncc_cases() -> Iterator[Case]:
    for size in SHAPES[:-1]:  # of a single voxel the variance is nothing but rounding
        for radius in ((2, 2, 2), (4, 3, 0)):  # in boxes of two or three voxels rounding is all there is
            for a, b in batches() if size == SHAPES[0] else [(1, 1)]:
                fixed, warped = random(a, 1, *size, seed=1), random(b, 1, *size, seed=2)
                soft, mask = random(1, 1, *size, seed=3), (random(1, 1, *size, seed=4) > 0.4).double()
                for name, weight in (("", None), ("soft", soft), ("mask", mask)):
                    tensors = {"fixed": fixed, "warped": warped, "weight": weight}
                    yield Case(
                        "lncc", f"{size} {radius} {a},{b} {name}", tensors, {"radius_voxels": radius[: len(size)]}
                    )
        tensors = {"fixed": random(1, 1, *size, seed=1), "warped": random(1, 1, *size, seed=2), "weight": None}
        yield Case("lncc", f"{size} floor", tensors, {"radius_voxels": (2, 2, 2)[: len(size)], "floor": 0.02})
        yield Case("lncc", f"{size} threshold", tensors, {"radius_voxels": (2, 2, 2)[: len(size)], "threshold": 0.4})


def joint_histogram_cases() -> Iterator[Case]:
    for size in SHAPES:
        for bins in (5, 32):
            for a, b in batches() if size == SHAPES[0] else [(1, 1)]:
                fixed, warped = random(a, 1, *size, seed=1), 1.2 * random(b, 1, *size, seed=2) - 0.1
                for weight in (None, random(1, 1, *size, seed=3)):
                    tensors = {"fixed": fixed, "warped": warped, "weight": weight}
                    yield Case("joint_histogram", f"{size} {bins} {a},{b} {weight is None}", tensors, {"bins": bins})


def inside_cases() -> Iterator[Case]:
    for size in SHAPES:
        d, shape = len(size), size[::-1]
        matrix, mix = torch.eye(d, d + 1, dtype=torch.float64), 0.5 + random(d, d, seed=2)
        displacement = 6 * random(2, d, *shape, seed=4) - 3
        tensors = {"matrix": matrix, "displacement": displacement, "mix": mix}
        yield Case("inside", f"{size}", tensors, {"size": size})
        turned = torch.stack([matrix, matrix - 0.3 + 0.1 * random(d, d + 1, seed=1)])
        yield Case("inside", f"{size} matrices", {"matrix": turned}, {"size": size, "shape": shape})
        for coarse in coarse_shapes(shape):
            tensors = {"matrix": matrix, "displacement": 6 * random(2, d, *coarse, seed=4) - 3, "mix": mix}
            yield Case("inside", f"{size} by {coarse}", tensors, {"size": size, "shape": shape})


def force_cases() -> Iterator[Case]:
    for size in SHAPES:
        d = len(size)
        warped, gradient = random(2, 2, *size, seed=1), random(2, 2, *size, seed=2) - 0.5
        mix = random(d, d, seed=3) - 0.3
        yield Case("force", f"{size}", {"warped": warped, "gradient": gradient, "mix": mix})


def coarse_shapes(size: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """Grids over the same field of view: every second voxel, about every third, the same along one axis."""
    yield tuple((n + 1) // 2 for n in size)
    yield tuple(max(1, round(n / 2.7)) for n in size)
    yield (size[0], *((n + 1) // 2 for n in size[1:]))


def sample_coarse_cases() -> Iterator[Case]:
    for size in SHAPES:
        d = len(size)
        for shape in (size, size[::-1]):
            for coarse in coarse_shapes(shape):
                matrix = torch.eye(d, d + 1, dtype=torch.float64) + 0.02 * random(d, d + 1, seed=1)
                tensors = {
                    "image": random(2, 2, *size, seed=3),
                    "matrix": matrix,
                    "displacement": 3 * random(2, d, *coarse, seed=4) - 1.5,
                    "mix": 0.5 + random(d, d, seed=2),
                }
                yield Case("sample_coarse", f"{size} at {shape} by {coarse}", tensors, {"shape": shape})


def force_coarse_cases() -> Iterator[Case]:
    for size in SHAPES:
        d = len(size)
        for coarse in coarse_shapes(size):
            warped, gradient = random(2, 2, *size, seed=1), random(2, 2, *size, seed=2) - 0.5
            tensors = {"warped": warped, "gradient": gradient, "mix": random(d, d, seed=3) - 0.3}
            yield Case("force_coarse", f"{size} onto {coarse}", tensors, {"shape": coarse})


def largest_cases() -> Iterator[Case]:
    for size in SHAPES:
        yield Case("largest", f"{size}", {"field": random(len(size), *size, seed=1) - 0.7})


def jacobian_cases() -> Iterator[Case]:
    for size in SHAPES:
        tensors = {"displacement": random(2, len(size), *size, seed=1), "mix": random(len(size), len(size), seed=2)}
        yield Case("jacobian", f"{size}", tensors)


def resize_cases() -> Iterator[Case]:
    for size in SHAPES:
        for shape in (tuple((n + 1) // 2 for n in size), tuple(n + 3 for n in size), size[::-1]):
            yield Case("resize", f"{size} to {shape}", {"image": random(2, 2, *size)}, {"shape": shape})


def mind_cases() -> Iterator[Case]:
    for size in SHAPES:
        line = len(size) == 2 and 1 in size  # there, with all pairs but two alike, "ssc" is the same for every image
        for radius, dilation in (((1, 1, 1), (2, 1, 2)), ((3, 2, 0), (1, 4, 0))):
            for form in ("plain",) if line else ("ssc", "plain"):
                options = {
                    "radius_voxels": radius[: len(size)],
                    "dilation_voxels": dilation[: len(size)],
                    "form": form,
                }
                image = random(2, 2, *size, seed=3)
                image[..., : size[-1] // 2] *= 1e-3  # noise below its least
                yield Case("mind", f"{size} {radius} {dilation} {form}", {"image": image}, options)


def ffd_cases() -> Iterator[Case]:
    for size in SHAPES:
        for steps, start in ((1 / 2.7, 1.1), (0.5, -2.5), (1.3, 0.0)):
            options = {"shape": size, "scale": (steps,) * len(size), "offset": (start,) * len(size)}
            for control in ((5,) * len(size), size[::-1], (1, 3, 2)[: len(size)]):
                name = f"{size} from {control} at {start}"
                yield Case("ffd", name, {"coefficients": random(2, len(size), *control, seed=5) - 0.4}, options)


def ffd_sample_cases() -> Iterator[Case]:
    for size in SHAPES:
        d, control = len(size), tuple((5, 1, 4, 3, 2, 6)[(n + len(size)) % 6] for n in size)
        matrix = torch.eye(d, d + 1, dtype=torch.float64).flip(0)  # rows of places run across those of the grid
        matrix = (matrix + 0.1 * random(d, d + 1, seed=1)) * 6 / max(size)
        matrix[:, -1] -= 1.5
        mix = 0.3 + random(d, d, seed=2)
        for a, b in batches() if size == SHAPES[0] else [(1, 1)]:
            moved = {"displacement": 6 * random(b, d, *size, seed=4) - 3, "mix": mix}
            for c in (d, 5):
                tensors = {"coefficients": random(a, c, *control, seed=3) - 0.4, "matrix": matrix, **moved}
                yield Case("ffd_sample", f"{size} from {control} {a},{b} of {c}", tensors)
        tensors = {"coefficients": random(1, d, *control, seed=3), "matrix": torch.stack([matrix, 0.7 * matrix])}
        yield Case("ffd_sample", f"{size} from {control}, matrices", tensors, {"shape": size[::-1]})
        none = (0, *size[1:])
        tensors = {"coefficients": tensors["coefficients"], "matrix": matrix, "displacement": random(1, d, *none)}
        yield Case("ffd_sample", f"nothing like {size}", tensors)


CASES: dict[str, Callable[[], Iterator[Case]]] = {
    "sample": sample_cases,
    "inside": inside_cases,
    "force": force_cases,
    "sample_coarse": sample_coarse_cases,
    "force_coarse": force_coarse_cases,
    "largest": largest_cases,
    "compose": compose_cases,
    "exponential": exponential_cases,
    "smooth": smooth_cases,
    "mse": lambda: whole_cases("mse"),
    "ncc": lambda: whole_cases("ncc"),
    "pair_sums": pair_sums_cases,
    "sampled_histogram": sampled_histogram_cases,
    "sampled_mse": sampled_mse_cases,
    "lncc": lncc_cases,
    "joint_histogram": joint_histogram_cases,
    "mind": mind_cases,
    "ffd": ffd_cases,
    "ffd_sample": ffd_sample_cases,
    "jacobian": jacobian_cases,
    "resize": resize_cases,
}
DIFFERENTIABLE = [
    *(("sample", name) for name in ("image", "matrix", "displacement", "mix")),
    *(("compose", name) for name in ("outer", "inner")),
    ("exponential", "velocity"),
    *((op, name) for op in ("mse", "ncc", "lncc") for name in ("fixed", "warped")),
    ("joint_histogram", "warped"),
    ("mind", "image"),
    ("ffd", "coefficients"),
    *(("sampled_histogram", name) for name in ("matrix", "mix")),
    *(("sampled_mse", name) for name in ("fixed", "moving", "matrix", "displacement", "mix")),
    *(("ffd_sample", name) for name in ("coefficients", "displacement")),
    ("smooth", "image"),
    ("jacobian", "displacement"),
    ("resize", "image"),
]


def strided(tensor: Tensor) -> Tensor:
    """The same numbers, every second one of a larger memory, its axes stored in the opposite order."""
    flipped = tensor.permute(*range(tensor.ndim)[::-1]).contiguous()
    return torch.stack([flipped, flipped + 1], dim=-1)[..., 0].permute(*range(tensor.ndim)[::-1])


def device_of(row: str) -> str:
    """Where a row runs: those for GPUs without one under Triton's interpreter, on the CPU."""
    return "cuda" if row == "cuda" and torch.cuda.is_available() else "cpu"


def cases_of(op: str, row: str) -> list[Case]:
    """The cases of an op; by Triton's interpreter, which is slow, every fifth of them: all kinds, not all together."""
    cases = list(CASES[op]())
    return cases[::5] if row == "cuda" and device_of(row) == "cpu" else cases


def evaluate(case: Case, row: str, dtype: torch.dtype, layout: str, wrt: str | None) -> tuple[bool, Tensor]:
    """Whether the row itself ran, and its values, or a gradient of them."""
    tensors: dict[str, Tensor | None] = {}
    device = device_of(row)
    for name, tensor in case.tensors.items():
        if tensor is not None:
            tensor = tensor.clone() if name in DOUBLE else tensor.to(device, dtype, copy=True)
            tensor = strided(tensor) if layout == "strided" else tensor
            tensor.requires_grad_(name == wrt)
        tensors[name] = tensor
    if case.op == "inside":
        options = {**case.options, "device": torch.device(device)}
        case = replace(case, options=options)
    with ops.use_kernels(row), ops.recorded() as log:
        values = torch.as_tensor(case.call(tensors), dtype=dtype if case.op == "inside" else None)
        if wrt is None:
            return log[case.op] == row, values.cpu()
        upstream = 0.5 + random(*values.shape, seed=9)
        (gradient,) = torch.autograd.grad((values * upstream.to(values)).sum(), [tensors[wrt]])
    return log[case.op] == row, gradient.cpu()


def compare(op: str, row: str, dtype: torch.dtype, layout: str, wrt: str | None) -> None:
    reason = _dispatch._missing(op, row)
    if reason is not None:
        pytest.skip(f"the {row} kernel of {op} cannot run here: {reason}")
    tolerance = FINE if dtype == torch.float64 else COARSE.get(op, 2e-5)
    wrong = []
    for case in cases_of(op, row):
        if wrt is not None and case.tensors.get(wrt) is None:
            continue
        if wrt not in (None, "image") and case.options.get("interpolation") == "nearest":
            continue  # nearest is differentiable in the image only
        ran, found = evaluate(case, row, dtype, layout, wrt)
        if not ran:
            continue  # the row left this input to the reference
        _, expected = evaluate(case, "reference", torch.float64, "plain", wrt)
        if op not in ("largest", "pair_sums"):  # a plain number, and sums in double precision
            assert found.dtype == (torch.float64 if wrt in DOUBLE else dtype), case.name
        assert found.shape == expected.shape, case.name
        if not expected.numel():
            continue
        error = float((found.double() - expected).abs().max())
        if not error <= tolerance * max(float(expected.abs().max()), 1e-2):
            wrong.append(f"{case.name}: {error:.3g} beside values up to {float(expected.abs().max()):.3g}")
    if wrong:
        pytest.fail("\n".join([f"{row} {op}, gradient in {wrt}:", *wrong]), pytrace=False)


def test_every_op_has_cases():
    assert set(CASES) == set(_dispatch.ROWS)
    plain = {"inside", "largest", "force", "pair_sums", "sample_coarse", "force_coarse"}
    assert {op for op, _ in DIFFERENTIABLE} == set(_dispatch.ROWS) - plain


@pytest.mark.parametrize(("op", "row"), ROWS)
def test_a_row_runs_on_ordinary_input(op, row):
    if (reason := _dispatch._missing(op, row)) is not None:
        pytest.skip(f"the {row} kernel of {op} cannot run here: {reason}")
    assert any(evaluate(case, row, torch.float32, "plain", None)[0] for case in CASES[op]())


@pytest.mark.parametrize("layout", ["plain", "strided"])
@pytest.mark.parametrize(("op", "row"), ROWS)
def test_values_in_single_precision(op, row, layout):
    compare(op, row, torch.float32, layout, None)


@pytest.mark.parametrize(("op", "row"), ROWS)
def test_values_in_double_precision(op, row):
    compare(op, row, torch.float64, "strided", None)


@pytest.mark.parametrize("layout", ["plain", "strided"])
@pytest.mark.parametrize(
    ("op", "row", "wrt"), [(op, row, wrt) for op, wrt in DIFFERENTIABLE for row in _dispatch.ROWS[op]]
)
def test_gradients_in_single_precision(op, row, wrt, layout):
    compare(op, row, torch.float32, layout, wrt)


@pytest.mark.parametrize(
    ("op", "row", "wrt"), [(op, row, wrt) for op, wrt in DIFFERENTIABLE for row in _dispatch.ROWS[op]]
)
def test_gradients_in_double_precision(op, row, wrt):
    compare(op, row, torch.float64, "strided", wrt)


def on_a_voxel(coarse: tuple[int, ...], fine: tuple[int, ...]) -> bool:
    """Whether a fine voxel lies on a coarse one, along an axis where there are fewer of these."""
    axes = [(n, m) for n, m in zip(coarse, fine, strict=True) if n != m]
    return any(((2 * x + 1) * n - m) % (2 * m) == 0 for n, m in axes for x in range(m))


HOSTILE = [("sample", "displacement"), ("inside", "displacement"), ("compose", "inner"), ("ffd_sample", "displacement")]
HOSTILE += [("sample_coarse", "displacement")]
HOSTILE += [("sampled_mse", "displacement")]
HOSTILE += [("joint_histogram", "fixed"), ("joint_histogram", "warped")]


@pytest.mark.filterwarnings("ignore:.* encountered in .*:RuntimeWarning")  # NumPy's, under Triton's interpreter
@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf, 3.4e38, -3.4e38])
@pytest.mark.parametrize(("op", "row", "name"), [(op, row, name) for op, name in HOSTILE for row in _dispatch.ROWS[op]])
def test_numbers_that_point_nowhere_are_met_alike(op, row, name, value):
    """What positions and bins are made of may be NaN or beyond all bounds; memory must not be."""
    if (reason := _dispatch._missing(op, row)) is not None:
        pytest.skip(f"the {row} kernel of {op} cannot run here: {reason}")
    for case in cases_of(op, row):
        tensor = case.tensors.get(name)
        if tensor is None:
            continue
        if " by " in case.name and value == value:
            continue  # whether an interpolation of huge numbers overflows is a matter of rounding
        if " by " in case.name and row == "cuda" and on_a_voxel(tensor.shape[2:], case.options["shape"]):
            continue  # and so it is whether a voxel between two others meets the second one's NaN, times 0
        hostile = tensor.float()
        hostile[torch.rand(hostile.shape, generator=torch.Generator().manual_seed(0)) < 0.3] = value
        struck = replace(case, tensors={**case.tensors, name: hostile})
        _, found = evaluate(struck, row, torch.float32, "plain", None)
        _, expected = evaluate(struck, "reference", torch.float32, "plain", None)
        torch.testing.assert_close(
            found, expected, atol=1e-4, rtol=1e-4, equal_nan=True, msg=lambda m, c=case: f"{c}: {m}"
        )


@pytest.mark.parametrize(("op", "wrt"), DIFFERENTIABLE)
def test_gradients_of_the_reference_are_those_of_finite_differences(op, wrt):
    small = {(9, 13), (5, 7, 11), (1, 9, 13)}
    checked = 0
    for case in CASES[op]():
        tensor = case.tensors.get(wrt)
        skipped = wrt not in (None, "image") and case.options.get("interpolation") == "nearest"
        if tensor is None or skipped or not any(case.name.startswith(str(size)) for size in small):
            continue

        def values(x: Tensor, case: Case = case) -> Tensor:
            with ops.use_kernels("reference"):
                return case.call({**case.tensors, wrt: x})

        x = tensor.clone().requires_grad_()
        assert torch.autograd.gradcheck(values, [x], fast_mode=True, eps=1e-7, atol=1e-5, rtol=1e-4), case.name
        checked += 1
    assert checked >= 2
