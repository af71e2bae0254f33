"""The layers of the package, by what each file imports: nothing is run, nothing can be forgotten."""

import ast
import re
import sys
from functools import cache
from pathlib import Path

import pytest

import scaling_cli

PACKAGE = Path(scaling_cli.__file__).parent
FILES = {
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
    if "presets" not in path.relative_to(PACKAGE).parts
}
FACE = "scaling_cli"
LIBRARY = ("errors", "core", "files", "report", "fit", "library", "budgets", "checks", "fitting")
# what each layer may import of the package, beside itself
ALLOWED = {
    "errors": (),
    "core": ("errors",),
    "fit": ("errors", "core"),
    "files": ("errors", "core"),
    "report": ("errors", "core"),
    "library": ("errors", "core", "files", "budgets"),
    "budgets": ("errors", "core", "files"),  # what a budget is made of, from texts
    "checks": ("errors", "core", "files", "budgets"),  # budgets in files, held to their policy
    "fitting": ("errors", "core", "files", "fit"),  # the library's part that needs numpy and scipy
    "cli": LIBRARY,
    "__main__": ("cli",),
    FACE: ("errors", "core", "files", "fit", "library"),
}
OWNERS = {
    "yaml": {"scaling_cli.files.strict_yaml"},
    "rich": {"scaling_cli.report.table"},
    "typer": {name for name in FILES if name.startswith("scaling_cli.cli.")},
    "numpy": {name for name in FILES if name.startswith("scaling_cli.fit.")},
    "scipy": {name for name in FILES if name.startswith("scaling_cli.fit.")},
}
MOST_LINES = 300


@cache
def tree(name: str) -> ast.Module:
    return ast.parse(FILES[name].read_text(encoding="utf-8"))


def layer(name: str) -> str:
    return name.split(".")[1] if "." in name else FACE


def _is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def imports(name: str) -> set[str]:
    """Return the modules that a file imports, at its top or inside a function."""
    found: set[str] = set()
    types_only = {id(inner) for node in ast.walk(tree(name)) if _is_for_types(node) for inner in ast.walk(node)}
    for node in ast.walk(tree(name)):
        if id(node) in types_only:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}: relative import"
            module = str(node.module)
            found |= {full if (full := f"{module}.{alias.name}") in FILES else module for alias in node.names}
    return found


def own_imports(name: str) -> set[str]:
    return {module for module in imports(name) if module.split(".")[0] == FACE}


def test_every_layer_is_there() -> None:
    """What follows would pass on an empty package."""
    assert {layer(name) for name in FILES} == set(ALLOWED)
    assert len(FILES) > 40


@pytest.mark.parametrize("name", FILES)
def test_layers(name: str) -> None:
    """errors <- core <- fit, files, report <- library <- cli; the middle three do not know each other."""
    mine = layer(name)
    for module in own_imports(name):
        assert module in FILES, f"{name} imports {module}, which does not exist"
        assert layer(module) in (mine, *ALLOWED[mine]), f"{name} imports {module}"


@pytest.mark.parametrize("name", [name for name in FILES if name != FACE])
def test_nobody_inside_imports_the_face(name: str) -> None:
    """`scaling_cli` itself is for users."""
    assert FACE not in imports(name)


@pytest.mark.parametrize("name", FILES)
def test_owners_of_packages(name: str) -> None:
    """The core is standard library only; every other package has its owner, and click is never imported."""
    for module in imports(name):
        package = module.split(".")[0]
        if package == FACE or package in sys.stdlib_module_names:
            continue
        assert package in OWNERS, f"{name} imports {module}"
        assert name in OWNERS[package], f"{name} imports {module}"


def test_no_import_cycles() -> None:
    """Counting every import, those inside functions too."""
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " -> ".join((*path, name))
        if name in done:
            return
        for module in own_imports(name) - {name}:
            visit(module, (*path, name))
        done.add(name)

    for name in FILES:
        visit(name, ())


@pytest.mark.parametrize("name", FILES)
def test_no_code_from_text(name: str) -> None:
    """eval, exec, compile, pickle and the like are not called, by any name."""
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.Name):
            assert node.id not in ("eval", "exec", "compile", "__import__"), f"{name} line {node.lineno}"
        if isinstance(node, ast.Attribute) and node.attr == "compile":
            assert ast.unparse(node.value) == "re", f"{name} line {node.lineno}"
    assert not imports(name) & {"pickle", "marshal", "shelve", "subprocess", "builtins"}


@pytest.mark.parametrize("name", FILES)
def test_only_files_opens_files(name: str) -> None:
    """`open` and os's openers belong to files/."""
    openers = {
        node.func.id for node in ast.walk(tree(name)) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert "open" not in openers or layer(name) == "files", name


@pytest.mark.parametrize(
    "name", [name for name in FILES if layer(name) in ("errors", "core", "fit", "files", "library")]
)
def test_only_report_and_cli_print(name: str) -> None:
    """The layers below hand back values."""
    for node in ast.walk(tree(name)):
        assert not (isinstance(node, ast.Name) and node.id == "print"), f"{name} line {node.lineno}"


@pytest.mark.parametrize("name", FILES)
def test_no_bare_exceptions(name: str) -> None:
    """Neither `except:` nor `except Exception`; no `assert` stands for an error of the user."""
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.ExceptHandler):
            caught = ast.unparse(node.type) if node.type else ""
            assert not {"", "Exception", "BaseException"} & set(caught.strip("()").split(", ")), f"{name}: {caught}"
        assert not isinstance(node, ast.Assert), f"{name} line {getattr(node, 'lineno', 0)}"


@pytest.mark.parametrize("name", FILES)
def test_files_are_short_and_say_what_they_hold(name: str) -> None:
    """At most 300 lines, with a docstring at the top; no file is a drawer for the rest."""
    assert len(FILES[name].read_text(encoding="utf-8").splitlines()) <= MOST_LINES
    assert ast.get_docstring(tree(name))
    assert not {"utils", "util", "helpers", "misc", "common"} & set(name.split("."))


def test_functions_are_short() -> None:
    """At most 50 lines each, docstring apart, and half of them at most 12."""
    lengths = []
    for name in FILES:
        for node in ast.walk(tree(name)):
            if isinstance(node, ast.FunctionDef):
                start = node.body[1] if ast.get_docstring(node) and len(node.body) > 1 else node.body[0]
                lengths.append((node.end_lineno or 0) - start.lineno + 1)
                assert lengths[-1] <= 50, f"{name}.{node.name}"
    assert sorted(lengths)[len(lengths) // 2] <= 12


def test_the_face() -> None:
    """__all__ is sorted, importable and all that the package shows."""
    assert scaling_cli.__all__ == sorted(scaling_cli.__all__)
    for name in scaling_cli.__all__:
        assert getattr(scaling_cli, name).__doc__
    shown = {name for name in vars(scaling_cli) if not name.startswith("_")}
    assert shown - set(sys.modules) - {name.split(".")[1] for name in FILES if "." in name} == set(scaling_cli.__all__)
    assert (PACKAGE / "py.typed").exists()


def test_the_map_of_the_package_names_what_is_there() -> None:
    words = re.findall(r"`([a-z_]+)`", (PACKAGE / "README.md").read_text(encoding="utf-8"))
    assert len(words) > 30
    assert set(words) <= {name.rpartition(".")[2] for name in FILES}
