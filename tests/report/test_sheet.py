import pytest

from pullback.report.planes import plane
from pullback.report.sheet import MOST_HEIGHT, WIDTH, nice, sheet
from pullback.report.style import LIGHT
from pullback.space import Space


def planes(*sizes: tuple[int, int]):
    return tuple(plane(Space.of_array((1, *size), 1.0), 0, 0) for size in sizes)


@pytest.mark.parametrize(
    ("shown", "rows"),
    [
        (planes((40, 60)), ("",)),
        (planes((40, 60)), ("before", "after")),
        (planes((300, 20)), ("before", "after")),
        (planes((20, 300)), ("before", "after")),
        (planes((217, 181), (181, 217), (181, 181)), ("before", "after")),
        (planes((50, 50), (50, 50), (50, 50)), ("",)),
    ],
)
@pytest.mark.parametrize("bar", [False, True])
@pytest.mark.parametrize("graph", [0.0, 1.2])
def test_all_planes_are_shown_at_one_scale_inside_the_figure_and_apart(shown, rows, bar, graph):
    made = sheet(shown, rows, LIGHT, bar=bar, graph=graph)
    width, height = made.figure.get_size_inches()
    assert width <= WIDTH + 1e-6
    assert height <= MOST_HEIGHT + 2.5
    assert len(made.axes) == len(rows)
    scales, boxes = [], []
    for line in made.axes:
        assert len(line) == len(shown)
        for one, axes in zip(shown, line, strict=True):
            box = axes.get_position()
            scales += [box.width * width / one.size_mm[1], box.height * height / one.size_mm[0]]
            boxes.append(box)
    assert max(scales) == pytest.approx(min(scales), rel=1e-6)
    boxes += [made.graph.get_position()] if made.graph else []
    for k, box in enumerate(boxes):
        assert min(box.x0, box.y0) >= 0
        assert max(box.x1, box.y1) <= 1 + 1e-9
        for other in boxes[:k]:
            assert box.x1 <= other.x0 or other.x1 <= box.x0 or box.y1 <= other.y0 or other.y1 <= box.y0


@pytest.mark.parametrize(("value", "expected"), [(37.0, 20.0), (50.0, 50.0), (9.99, 5.0), (0.3, 0.2), (1e-4, 1e-4)])
def test_round_numbers(value, expected):
    assert nice(value) == pytest.approx(expected)
