"""The plan of the house: which room may import which, as the README draws it."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import ha_monitor

ROOT = Path(__file__).resolve().parents[1]

# From the ground up: a room may import rooms further down, itself, and nothing else of the package.
FLOORS = (
    ("errors", "model", "clock", "text", "endpoint"),
    ("measures", "forms", "transition", "files", "outward", "wire"),
    ("lang", "etcd", "reading", "broadcast", "history", "faultlog"),
    ("keys", "watch", "schemafiles"),
    ("settings", "plugins"),
    ("evaluate",),
    ("publish", "sight"),
    ("show", "roll", "blind", "consistent", "maintained", "group"),
    ("explain", "membership"),
    ("monitor",),
    ("demo", "hooks", "plan", "statusfile", "testing", "web"),
    ("cli",),
    ("__main__",),
)
HEIGHT = {room: height for height, rooms in enumerate(FLOORS) for room in rooms}


def modules(path: Path) -> set[str]:
    """Give the modules that a file imports, those for its types as well."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            names.add(node.module)
        elif isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
    return names


def files() -> dict[Path, str]:
    """Give the files of the package, each with its room."""
    package = ROOT / "ha_monitor"
    paths = [path for path in sorted(package.rglob("*.py")) if path != package / "__init__.py"]
    return {path: path.relative_to(package).parts[0].removesuffix(".py") for path in paths}


def test_a_room_imports_only_what_lies_below_it() -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {module}"
        for path, room in files().items()
        for module in modules(path)
        if module.startswith("ha_monitor.")
        and module.split(".")[1] != room
        and HEIGHT[module.split(".")[1]] >= HEIGHT[room]
    ]
    assert wrong == []


def test_grpc_is_known_on_the_way_to_etcd_alone_and_jinja_in_one_room() -> None:
    for path, room in files().items():
        names = {module.split(".")[0] for module in modules(path)}
        assert "grpc" not in names or room in ("wire", "etcd"), path
        assert "jinja2" not in names or room == "lang", path


def test_the_public_names_are_what_they_are_said_to_be() -> None:
    assert sorted(ha_monitor.__all__) == ha_monitor.__all__
    for name in ha_monitor.__all__:
        assert hasattr(ha_monitor, name)


def test_what_takes_long_to_import_is_imported_once_it_is_asked_for() -> None:
    heavy = {"grpc", "jinja2", "pydantic", "rich", "ruamel"}
    asked = f"import sys, ha_monitor, ha_monitor.cli; print({heavy!r} & sys.modules.keys(), ha_monitor.HaMonitor)"
    told = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, timeout=60, check=True)
    assert told.stdout == "set() <class 'ha_monitor.monitor.HaMonitor'>\n"
    with pytest.raises(AttributeError, match="module 'ha_monitor' has no attribute 'Monitor'"):
        ha_monitor.Monitor  # type: ignore[attr-defined]  # noqa: B018
