"""Recipes as YAML: what is written can be read, and what cannot be used is refused with a sentence."""

import itertools
from dataclasses import dataclass, fields, replace

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pullback.energy import LNCC, MSE, Bending, Energy, Similarity, Term, WeightedSum
from pullback.errors import RecipeError
from pullback.optimise import SVF, Adam, GradientDescent, Greedy, Level, Linear, Schedule
from pullback.registration import AlignCentres, Optimise, Prepare, Recipe, Search, Symmetric, recipe_file
from pullback.registration.ranges import RANGES
from pullback.registration.recipes import RECIPES, named


def round_trip(recipe: Recipe, folder) -> Recipe:
    path = folder / "recipe.yaml"
    path.write_text(recipe_file.to_yaml(recipe), encoding="utf-8")
    return recipe_file.read(path)


@pytest.fixture
def written(tmp_path):
    """Writes a text, or the default recipe with one piece of its text replaced, and gives the path."""

    def write(text: str | None = None, **replaced: str) -> str:
        path = tmp_path / "mine.yaml"
        default = recipe_file.to_yaml(named("deformable"))
        for old, new in replaced.items():
            key = f"{old}: "
            line = next(line for line in default.splitlines() if line.strip().removeprefix("- ").startswith(key))
            default = default.replace(line, line.split(key)[0] + key + new, 1)
        path.write_text(default if text is None else text, encoding="utf-8")
        return path

    return write


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_comes_back_as_it_was(name, tmp_path):
    recipe = named(name)
    assert round_trip(recipe, tmp_path) == recipe


@pytest.mark.parametrize("name", RECIPES)
def test_the_file_leaves_nothing_out_and_explains_every_value(name):
    recipe = named(name)
    text = recipe_file.to_yaml(recipe)
    assert yaml.safe_load(text) == recipe_file.to_dict(recipe)
    bare = [
        line for line in text.splitlines()[1:] if "#" not in line and not line.strip().startswith(("- kind", "kind"))
    ]
    assert bare == []


@dataclass(frozen=True)
class Halved(MSE):
    """Half of it.

    Attributes:
        factor: what remains.
    """

    factor: float = 0.5


def test_a_class_that_someone_wrote_is_named_and_read_once_it_is_known(tmp_path, monkeypatch):
    stage = Optimise(Greedy(2.0), Energy(Halved()), GradientDescent(), Schedule((Level(2, 5),)))
    recipe = Recipe("own", "a measure of one's own", (stage,))
    with pytest.raises(RecipeError, match=r"must be one of MSE, .*; got 'Halved'"):
        round_trip(recipe, tmp_path)
    known = recipe_file.KINDS[Similarity]
    monkeypatch.setitem(recipe_file.KINDS, Similarity, (*known, Halved))
    assert round_trip(recipe, tmp_path) == recipe


def made(similarity):
    return similarity((Term(LNCC()), Term(MSE(), 10.0))) if similarity is WeightedSum else similarity()


def test_every_kind_comes_back(tmp_path):
    similarities = recipe_file.KINDS[recipe_file.energy.Similarity]
    optimisers = recipe_file.KINDS[recipe_file.optimise.Optimiser]
    stages = []
    for model in recipe_file.KINDS[recipe_file.optimise.Parametrisation]:
        for similarity, optimiser in zip(similarities, itertools.cycle(optimisers), strict=False):
            stages.append(
                Optimise(model(), Energy(made(similarity), Bending(), 0.25), optimiser(), Schedule((Level(2, 3),)))
            )
    stages += [
        Symmetric(model, Energy(MSE()), Adam(), Schedule((Level(2, 3),)))
        for model in (Linear("rigid", axes=(1, 2)), SVF())
    ]
    recipe = Recipe("all", "every kind", (AlignCentres(starts=("mass",)), Search(step_degrees=30.0), *stages))
    assert round_trip(recipe, tmp_path) == recipe


@given(
    step=st.floats(min_value=1e-12, max_value=1e3),
    tolerance=st.floats(min_value=1e-12, max_value=0.999),
    shrink=st.floats(min_value=1.0, max_value=64.0),
    steps=st.integers(1, 10**6),
)
def test_numbers_come_back_to_the_last_bit(step, tolerance, shrink, steps):
    stage = Optimise(Greedy(), Energy(MSE()), GradientDescent(step), Schedule((Level(shrink, steps),), tolerance))
    recipe = Recipe("n", "d", (stage,))
    assert recipe_file.from_dict(yaml.safe_load(recipe_file.to_yaml(recipe))) == recipe


@given(name=st.text(min_size=1), description=st.text())
def test_texts_come_back_whatever_they_hold(name, description):
    recipe = replace(named("rigid"), name=name, description=description)
    try:
        text = recipe_file.to_yaml(recipe)
        text.encode("utf-8")
    except UnicodeEncodeError:
        return  # half a surrogate pair is no text that a file can hold
    assert recipe_file.from_dict(yaml.safe_load(text)) == recipe


@pytest.mark.parametrize(
    "word", ["no", "Yes", "null", "true", "~", "1e3", "0x1f", "2026-11-22", "a: b", "# x", 'say "x"', "\\"]
)
def test_texts_that_yaml_would_take_for_something_else_come_back(word, tmp_path):
    recipe = replace(named("rigid"), name=word, description=word)
    assert round_trip(recipe, tmp_path) == recipe


@pytest.mark.parametrize(
    ("typed", "value"), [("1e-5", 1e-5), ("1.0e-05", 1e-5), ("1e-05", 1e-5), ("0", 0.0), (".5", 0.5)]
)
def test_numbers_may_be_typed_as_people_type_them(written, typed, value):
    recipe = recipe_file.read(written(tolerance=typed))
    assert recipe.stages[1].schedule.tolerance == value


def test_what_is_left_out_takes_its_default(written):
    path = written("name: small\ndescription: one stage\nstages:\n  - kind: AlignCentres\n")
    assert recipe_file.read(path) == Recipe("small", "one stage", (AlignCentres(),))


@pytest.mark.parametrize(
    ("replaced", "said"),
    [
        ({"tolerance": "fast"}, r"schedule\.tolerance must be a number; got 'fast'"),
        ({"tolerance": "true"}, r"schedule\.tolerance must be a number; got True"),
        ({"tolerance": ".nan"}, r"schedule\.tolerance must be a finite number"),
        ({"tolerance": "-.inf"}, r"schedule\.tolerance must be a finite number"),
        ({"tolerance": "9" * 400}, r"schedule\.tolerance must be a finite number"),
        ({"tolerance": "[1, 2]"}, r"schedule\.tolerance must be a number; got \[1, 2\]"),
        ({"tolerance": "{a: 1}"}, r"schedule\.tolerance must be a number; got"),
        ({"steps": "2.5"}, r"levels\[0\]\.steps must be a whole number; got 2\.5"),
        ({"steps": "many"}, r"levels\[0\]\.steps must be a whole number; got 'many'"),
        ({"name": "[a]"}, r"recipe\.name must be text; got \['a'\]"),
        ({"starts": "header"}, r"stages\[0\]\.starts must be a list; got 'header'"),
        ({"starts": "[somewhere]"}, r"starts\[0\] must be one of header, field_of_view, mass; got 'somewhere'"),
        ({"starts": "[[header]]"}, r"starts\[0\] must be one of header, field_of_view, mass; got \['header'\]"),
        ({"kind": "Magic"}, r"stages\[0\]\.kind must be one of AlignCentres, .*Optimise.*; got 'Magic'"),
        ({"kind": "os.system"}, r"stages\[0\]\.kind must be one of AlignCentres, .*Optimise.*; got 'os\.system'"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_named_with_its_place_and_what_is_allowed(written, replaced, said):
    path = written(**replaced)
    with pytest.raises(RecipeError, match=said) as raised:
        recipe_file.read(path)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", r"recipe must hold keys and values; got None"),
        ("just words", r"recipe must hold keys and values; got 'just words'"),
        ("[1, 2]", r"recipe must hold keys and values"),
        ("name: x\ndescription: y\n", r"recipe lacks stages; Recipe needs it"),
        ("name: x\ndescription: y\nstages: []\n", r"no stages"),
        ("name: x\ndescription: y\nstages: {a: 1}\n", r"recipe\.stages must be a list"),
        ("name: x\ndescription: y\nstages: [AlignCentres]\n", r"stages\[0\] must hold keys and values"),
        ("name: x\ndescription: y\nstages: [{}]\n", r"stages\[0\]\.kind must be one of AlignCentres, .* got None"),
        ("name: x\ndescription: y\nstages: [{kind: AlignCentres, speed: 9}]\n", r"\.speed is not known; Align"),
        ("name: x\ndescription: y\nstages: [{kind: AlignCentres, 1: 9}]\n", r"stages\[0\]\.1 is not known"),
        ("name: x\nname: y\n", r"line 2: name stands twice"),
        ("a: [1, 2\n", r"it is not valid YAML"),
        ("a: !!python/object/apply:os.system ['true']", r"it is not valid YAML"),
        ("a: !!python/name:os.system", r"it is not valid YAML"),
        ("a: &x [*x]", r"alias"),
        ("a: &a [x, x]\nb: &b [*a, *a, *a]\nc: [*b, *b, *b]", r"alias"),
        ("a: 2026-99-99", r"it is not valid YAML"),
        ("a: " + "9" * 5000, r"it is not valid YAML"),
        ("? [a, b]\n: 1", r"it is not valid YAML"),
        ("[" * 5000, r"it is not valid YAML"),
        ("a: \x00", r"it is not valid YAML"),
    ],
)  # fmt: skip
def test_a_hostile_or_broken_file_is_refused_with_a_sentence(written, text, said):
    with pytest.raises(RecipeError, match=said) as raised:
        recipe_file.read(written(text))
    assert len(str(raised.value)) < 600
    assert "\n" not in str(raised.value)


def test_a_file_that_is_not_there_is_a_folder_is_binary_or_is_huge_is_refused(tmp_path):
    (tmp_path / "folder.yaml").mkdir()
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00name")
    (tmp_path / "huge.yaml").write_bytes(b"# " + b"x" * recipe_file.MOST_BYTES)
    for name, said in {
        "missing": "no such file",
        "folder": "folder",
        "binary": "not a text file",
        "huge": "more than",
    }.items():
        with pytest.raises(RecipeError, match=said):
            recipe_file.read(tmp_path / f"{name}.yaml")


@pytest.mark.parametrize(
    "replaced",
    [
        {"steps": "0"},
        {"steps": "-3"},
        {"shrink": "0"},
        {"shrink": "-1"},
        {"tolerance": "-1"},
        {"bins": "1"},
        {"low_percentile": "-1"},
        {"high_percentile": "101"},
        {"least_overlap": "2"},
        {"step_voxels": "0"},
        {"radius_voxels": "0"},
        {"smooth_update_voxels": "-1"},
        {"history": "0"},
        {"longest_voxels": "-1"},
        {"momentum": "1"},
        {"levels": "[]"},
        {"starts": "[]"},
    ],
)
def test_a_value_that_makes_no_sense_is_refused_before_any_work(written, replaced):
    with pytest.raises(RecipeError):
        recipe_file.read(written(**replaced))


def test_unknown_recipes_list_the_known_ones():
    with pytest.raises(RecipeError, match=", ".join(RECIPES)):
        named("elastic")


def test_every_number_of_every_kind_has_a_range():
    kinds = [*(kind for kinds in recipe_file.KINDS.values() for kind in kinds), Prepare, Energy, Term, Schedule, Level]
    types = ("float", "int", "Shape | None", "tuple[float, ...] | None", "float | None", "int | None", int, float)
    number_fields = {f.name for kind in kinds for f in fields(kind) if f.type in types}
    assert number_fields == set(RANGES)
