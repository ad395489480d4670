"""The pictures that greet a newcomer are light, and move as they should."""

from pathlib import Path

from PIL import Image

PICTURES = Path(__file__).parents[2] / "docs" / "images"


def test_the_moving_picture_is_a_light_endless_loop_that_begins_and_rests_at_the_ends():
    path = PICTURES / "moving_picture.webp"
    assert path.stat().st_size <= 700_000
    with Image.open(path) as moving:
        assert moving.info["loop"] == 0
        assert 700 <= moving.width <= 1000
        durations = []
        for frame in range(moving.n_frames):
            moving.seek(frame)
            moving.load()
            durations.append(moving.info["duration"])
    assert 5000 <= sum(durations) <= 8000
    assert durations[0] >= 1000  # to be read
    assert min(durations) >= 50  # no flicker


def test_the_benchmark_picture_names_who_is_in_the_table():
    drawn = (PICTURES / "benchmark_trade.svg").read_text(encoding="utf-8")
    rows = (PICTURES.parent / "benchmarks.md").read_text(encoding="utf-8").split("<!-- table: synthetic -->")[1]
    tools = [line.split("|")[1].strip() for line in rows.split("<!-- end -->")[0].splitlines() if line.startswith("| ")]
    assert len(tools) > 5
    assert [tool for tool in tools[2:] if tool != "_before_" and f">{tool}<" not in drawn] == []
