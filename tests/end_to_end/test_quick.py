"""The process of a small job: it starts without parts of torch, registers with every recipe all the same, and ends."""

import subprocess
import sys

from pullback.cli import quick

EVERY_RECIPE = """
import sys
from pullback.cli import quick
quick.TRIED = (quick.torch_version(),)
assert quick.start()
import torch
import pullback as pb
from pullback.registration import recipes
space = pb.Space.of_array((20, 24), (1.5, 1.5))
generator = torch.Generator().manual_seed(1)
image = pb.Image(torch.nn.functional.avg_pool2d(torch.rand(1, 24, 28, generator=generator), 5, 1), space)
assert type(sys.modules["torch._meta_registrations"]).__name__ == "Late"
for name in recipes.RECIPES:
    result = pb.register(image, image, recipe=name)
    assert result.status.name in ("converged", "max_steps"), (name, result.status)
assert "torch._prims" not in sys.modules, "something asked for what was left out"
torch._meta_registrations.aten
assert "torch._prims" in sys.modules
assert (torch.zeros(3, device="meta") + 1).shape == (3,)
print("all of", len(recipes.RECIPES))
"""


def python(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)


def test_every_recipe_runs_without_what_is_left_out():
    done = python(EVERY_RECIPE)
    assert done.returncode == 0, f"torch {quick.torch_version()} needs what quick.POSTPONED leaves out: {done.stderr}"
    assert done.stdout.startswith("all of")


def test_this_version_of_torch_was_tried():
    version = quick.torch_version()
    assert version in quick.TRIED, f"slow start with torch {version}: if the test above passes, add it to TRIED"


def test_other_versions_start_as_ever(monkeypatch):
    before = list(sys.meta_path)
    monkeypatch.setattr(quick, "TRIED", ("0.1",))
    monkeypatch.delitem(sys.modules, "torch")
    assert not quick.start()
    assert sys.meta_path == before


def test_the_end_writes_what_was_said_and_does_what_was_asked_for_at_the_end():
    done = python("import atexit; from pullback.cli import quick; atexit.register(print, 'last'); print('first'); "
                  "quick.end(3); print('never')")  # fmt: skip
    assert (done.returncode, done.stdout.split()) == (3, ["first", "last"])


def test_who_watches_sees_the_end():
    done = python("import sys; from pullback.cli import quick; sys.setprofile(lambda *a: None); quick.end(3); "
                  "sys.setprofile(None); print('watched')")  # fmt: skip
    assert (done.returncode, done.stdout.split()) == (0, ["watched"])
