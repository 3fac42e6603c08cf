"""How the modules depend on each other: imports point one way, and torch comes late."""

import ast
import runpy
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from itertools import pairwise
from pathlib import Path

import pytest

import unrolled

ROOT = Path(unrolled.__file__).parent
TOP = Path(__file__).parents[1]
MODULES = {
    path.relative_to(ROOT): ast.parse(path.read_text("utf-8")) for path in ROOT.rglob("*.py")
}

ROWS = (
    *("errors", "system", "settings", "results", "text", "kernels", "ngram", "ops", "report"),
    *("nn", "models", "inference", "runs", "training", "classification", "probes", "diagnosis"),
    *("comparison", "cli", "__main__"),
)
"""The rooms, from the ground up: a module imports from those before its own, and a room's files
also from each other."""
ROW_OF = {name: number for number, name in enumerate(ROWS)}

TORCHLESS_ROOMS = ("errors", "system", "settings", "results", "text", "ngram", "report", "cli")
NETWORK = {"asyncio", "ftplib", "http", "httpx", "requests", "smtplib", "socket", "urllib"}
UNSAFE = {"cloudpickle", "dill", "joblib", "marshal", "pickle", "shelve"}


def name_of(path: Path) -> str:
    """`models/base.py` is `models.base`, `report/__init__.py` is `report`."""
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def own_imports(path: Path) -> Iterator[str]:
    """Modules of this package that a file imports anywhere in it."""
    for node in ast.walk(MODULES[path]):
        if not isinstance(node, ast.ImportFrom) or not node.level:
            continue
        folder = path.parent.parts[: len(path.parent.parts) - node.level + 1]
        module = (*folder, *(node.module or "").split("."))
        for alias in node.names:
            whole = Path(*module, alias.name)
            is_module = (ROOT / whole).is_dir() or (ROOT / whole).with_suffix(".py").exists()
            yield ".".join((whole if is_module else Path(*module)).parts)


def foreign_imports(tree: ast.Module) -> Iterator[str]:
    """Full names of what is imported from other packages."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


INSIDE = sorted(path for path in MODULES if path != Path("__init__.py"))


@pytest.mark.parametrize("path", INSIDE, ids=str)
def test_imports_point_one_way(path):
    name = name_of(path)
    top = name.split(".")[0]
    for imported in own_imports(path):
        assert imported != name
        other = imported.split(".")[0]
        inside_folder = other == top and "." in imported
        assert inside_folder or ROW_OF[other] < ROW_OF[top], f"{name} imports {imported}"


def test_no_imports_go_in_a_circle():
    TopologicalSorter({name_of(path): list(own_imports(path)) for path in INSIDE}).prepare()


def test_every_module_has_a_row():
    assert {name_of(path).split(".")[0] for path in INSIDE} == set(ROW_OF)


def room_imports() -> dict[str, set[str]]:
    """Which rooms each room imports."""
    rooms: dict[str, set[str]] = {name: set() for name in ROWS}
    for path in INSIDE:
        room = name_of(path).split(".")[0]
        rooms[room] |= {name.split(".")[0] for name in own_imports(path)} - {room}
    return rooms


def below(room: str, rooms: dict[str, set[str]]) -> set[str]:
    """All that a room reaches through others."""
    return rooms[room].union(*(below(name, rooms) for name in rooms[room]))


def test_the_picture_of_the_rooms_is_that_of_the_imports():
    rooms = room_imports()
    direct = {
        (room, name)
        for room, names in rooms.items()
        for name in names
        if not any(name in below(other, rooms) for other in names)
    }
    picture = (TOP / "CONTRIBUTING.md").read_text("utf-8").split("```mermaid")[1].split("```")[0]
    chains = [line.split("-->") for line in picture.splitlines() if "-->" in line]
    drawn = {(above.strip(), under.strip()) for chain in chains for above, under in pairwise(chain)}
    assert drawn == direct


def test_readme_names_every_entry_of_the_package():
    tree = (TOP / "README.md").read_text("utf-8").split("\nsrc/unrolled/\n")[1].split("\ntests/")[0]
    named = {name.rstrip("/") for line in tree.splitlines() for name in line.split()[:2]}
    entries = {path.name for path in ROOT.iterdir() if path.name != "__pycache__"}
    assert entries <= named
    assert len(entries) <= 23


def test_each_test_stands_at_the_path_of_what_it_tests():
    """`a/b.py` is tested by `a/test_b.py`, and `a/__init__.py` by `a/test_a.py`."""
    here = Path(__file__).parent
    tested = {path.parent / f"test_{path.stem}.py" for path in INSIDE}
    tested |= {path / f"test_{path.name}.py" for path in {path.parent for path in INSIDE}}
    tests = {path.relative_to(here) for path in here.rglob("test_*.py")} - {Path("test_layers.py")}
    tests = {path for path in tests if path.parts[0] != "fuzz"}  # of all loaders together
    assert not sorted(map(str, tests - tested))


def test_the_package_imports_itself_relatively():
    names = [name for tree in MODULES.values() for name in foreign_imports(tree)]
    assert not [name for name in names if name.split(".")[0] == "unrolled"]


def test_the_api_reference_is_current():
    """After a change of a public signature or docstring: python scripts/api.py."""
    folder = Path(__file__).parents[1]
    page = runpy.run_path(str(folder / "scripts" / "api.py"))["page"]()
    assert page == (folder / "docs" / "api.md").read_text("utf-8")


def test_public_names_are_where_they_are_said_to_be():
    assert dir(unrolled) == unrolled.__all__
    for name in unrolled.__all__:
        assert getattr(unrolled, name).__name__ == name
    stated = {
        (alias.asname, node.module)
        for node in ast.walk(MODULES[Path("__init__.py")])
        if isinstance(node, ast.ImportFrom) and node.level
        for alias in node.names
        if alias.asname
    }
    assert stated == set(unrolled._HOME.items())
    with pytest.raises(AttributeError) as caught:
        unrolled.nothing  # noqa: B018
    assert str(caught.value) == "module 'unrolled' has no attribute 'nothing'"


def test_torch_is_loaded_only_where_it_is_needed():
    light = [
        f"unrolled.{name_of(path)}"
        for path in INSIDE
        if name_of(path).split(".")[0] in TORCHLESS_ROOMS
    ]
    assert len(light) > 30
    code = f"""
import sys
from importlib import import_module
import unrolled
for name in {light!r}:
    import_module(name)
    assert "torch" not in sys.modules, name
assert unrolled.cli.main(["--help"]) == 0
assert "torch" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Usage: unrolled COMMAND" in done.stdout


@pytest.mark.parametrize("path", sorted(MODULES), ids=str)
def test_nothing_is_unpickled_and_nothing_reaches_the_network(path):
    roots = {name.split(".")[0] for name in foreign_imports(MODULES[path])}
    assert not roots & NETWORK
    assert not roots & UNSAFE
    for node in ast.walk(MODULES[path]):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            assert f"{node.value.id}.{node.attr}" not in {"torch.load", "torch.save"}
        if isinstance(node, ast.keyword):
            assert node.arg not in {"allow_pickle", "weights_only"}
