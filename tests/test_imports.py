"""What is imported when: a command must not pay for what it does not use."""

import json
import subprocess
import sys

HEAVY = ("torch", "numpy", "scipy", "matplotlib", "SimpleITK", "pandas", "nibabel", "h5py", "pydicom", "PIL", "jinja2")

ASK_FOR_HELP = """
import contextlib, io, json, sys
from pullback.cli.main import main
sys.argv = ["pullback", "--help"]
printed, code = io.StringIO(), 0
with contextlib.redirect_stdout(printed):
    try:
        code = main()
    except SystemExit as stop:
        code = stop.code
print(json.dumps({"code": code or 0, "help": printed.getvalue(), "modules": sorted(sys.modules)}))
"""

REGISTER = """
import json, sys
import pullback.cli.main, pullback.registration, pullback.api
print(json.dumps(sorted(sys.modules)))
"""


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    answer = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False, timeout=120)
    assert answer.returncode == 0, answer.stderr
    return answer


def test_importing_the_command_line_imports_nothing_heavy():
    timings = run("-X", "importtime", "-c", "import pullback.cli.main").stderr
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in timings.splitlines()}
    assert "pullback" in imported
    assert imported.isdisjoint(HEAVY)


def test_help_imports_nothing_heavy():
    answer = json.loads(run("-c", ASK_FOR_HELP).stdout)
    assert answer["code"] == 0
    assert "register" in answer["help"]
    assert set(answer["modules"]).isdisjoint(HEAVY)


def test_importing_pullback_is_free_until_something_is_used():
    modules = json.loads(run("-c", "import pullback, sys, json; print(json.dumps(sorted(sys.modules)))").stdout)
    assert set(modules).isdisjoint(HEAVY)


def test_classical_registration_imports_no_plotting_and_no_other_toolkit():
    modules = set(json.loads(run("-c", REGISTER).stdout))
    assert "torch" in modules
    assert modules.isdisjoint({"matplotlib", "SimpleITK", "pandas", "scipy", "jinja2", "pydicom"})
