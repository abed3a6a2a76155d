"""The tree is read as text, so that its rules hold for files no one thought of."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("card", "modem", "settlement", "terminal", "sim")
SOURCES = sorted(
    path for package in PACKAGES for path in (ROOT / package).rglob("*.py")
)
TRACKED = [
    ROOT / name
    for name in subprocess.run(  # noqa: S603  our own fixed words
        ["git", "-C", str(ROOT), "ls-files", "-z", "-co", "--exclude-standard"],  # noqa: S607
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split("\0")
    if name
]
FILE_LINES_MAX = 500
FUNCTION_LINES_MAX = 70
MONEY = re.compile(r"amount|balance|minor|money|sum|total|debit|credit|posted")


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def module_of(path: Path) -> str:
    return name_of(path).removesuffix(".py").removesuffix("/__init__").replace("/", ".")


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_no_file_is_longer_than_a_reader_can_hold(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= FILE_LINES_MAX


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_no_function_is_longer_than_a_screen(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            assert lines <= FUNCTION_LINES_MAX, f"{node.name} has {lines} lines"


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_no_float_comes_near_money(path: Path) -> None:
    lines = path.read_text().splitlines()
    for node in ast.walk(ast.parse(path.read_text())):
        is_type = isinstance(node, ast.Name) and node.id == "float"
        is_value = isinstance(node, ast.Constant) and isinstance(node.value, float)
        if is_type or is_value:
            line = lines[getattr(node, "lineno", 1) - 1]
            assert not MONEY.search(line), line


@pytest.mark.parametrize(
    "path", [path for path in SOURCES if path.name == "__init__.py"], ids=name_of
)
def test_init_files_hold_no_logic(path: Path) -> None:
    allowed = (ast.Expr, ast.Import, ast.ImportFrom, ast.Assign)
    assert all(isinstance(node, allowed) for node in ast.parse(path.read_text()).body)


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_no_marker_of_unfinished_work_is_left(path: Path) -> None:
    markers = "|".join(["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"])
    assert not re.search(rf"\b({markers})\b", path.read_text())


def imported_by(path: Path) -> set[str]:
    """Every module that ``path`` imports, also as a name out of its package."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module}
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def users_of_simulators() -> list[Path]:
    """Tests and measurements for which parts of `sim` are made; not its own tests."""
    tests = (ROOT / "tests").rglob("*.py")
    own = ROOT / "tests" / "sim"
    return [
        *(ROOT / "bench").rglob("*.py"),
        *(p for p in tests if own not in p.parents),
    ]


def test_no_module_is_dead() -> None:
    scripts = (ROOT / "pyproject.toml").read_text()
    used = set().union(*(imported_by(path) for path in SOURCES))
    for path in users_of_simulators():
        used |= {name for name in imported_by(path) if name.startswith("sim.")}
    dead = [
        module
        for path in SOURCES
        if path.stem not in {"__init__", "__main__"}
        # Alembic finds these by their place.
        and not module_of(path).startswith("settlement.store.migrations.")
        and (module := module_of(path)) not in used
        and f'"{module}:' not in scripts
    ]
    assert dead == []


def test_the_lock_file_names_no_index_and_pins_every_file_by_digest() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    assert "://" not in lock
    assert "--index" not in lock
    entries = re.findall(
        r"^[a-z0-9._-]+==.*?(?=^\S|\Z)", lock, re.MULTILINE | re.DOTALL
    )
    assert len(entries) > 30
    assert all("--hash=sha256:" in entry for entry in entries)


def test_no_tracked_file_is_a_build_product_or_a_secret() -> None:
    names = [name_of(path) for path in TRACKED]
    assert not [n for n in names if n.endswith((".pyc", ".sqlite", ".key", ".pem"))]


CORES = [
    module_of(path)
    for path in SOURCES
    if path.parts[len(ROOT.parts)] in {"card", "modem", "settlement"}
    and name_of(path)
    not in {"card/pcsc.py", "card/pcsc_monitor.py", "modem/serial_port.py"}
    and "commands" not in path.parts
    and path.name not in {"call.py", "host.py", "network_call.py", "host_network.py"}
]


def test_the_cores_know_no_device_and_no_screen() -> None:
    program = (
        f"import sys, importlib\n"
        f"for name in {CORES!r}: importlib.import_module(name)\n"
        "print([m for m in ('textual', 'smartcard', 'serial') if m in sys.modules])"
    )
    answer = subprocess.run(  # noqa: S603  our own fixed words
        [sys.executable, "-c", program],
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert answer.stdout.strip() == "[]"
