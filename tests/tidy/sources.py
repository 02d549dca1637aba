"""The project's own files, as they lie in the work tree."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CODE = ("server/kakera", "infra", "tests", "tools")
NOT_OURS = {".git", ".venv", "build", "data", "dist", "__pycache__", "node_modules"}
TEXT_SUFFIXES = {
    ".py", ".md", ".toml", ".yaml", ".yml", ".j2", ".json", ".lock", ".sh", ".svg", ".txt", ".cfg", ".lua", ".go", "",
}  # fmt: skip


def python_files(*folders: str) -> list[Path]:
    """Sorted; all code when no folder is named."""
    found = (path for folder in folders or CODE for path in (ROOT / folder).rglob("*.py"))
    return sorted(path for path in found if not NOT_OURS & set(path.relative_to(ROOT).parts))


def text_files() -> Iterator[Path]:
    """Everything a person may read, hidden folders of tools left out."""
    for path in sorted(ROOT.rglob("*")):
        parts = path.relative_to(ROOT).parts
        hidden = any(part.startswith(".") and part != ".ci" for part in parts[:-1])
        if path.is_file() and not hidden and not NOT_OURS & set(parts) and path.suffix in TEXT_SUFFIXES:
            yield path


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else path.name


def rooms() -> list[Path]:
    """Folders that hold Python files, one level below server/kakera, infra and tests, and those three."""
    found = []
    for top in ("server/kakera", "infra", "tests"):
        for folder in [ROOT / top, *sorted((ROOT / top).iterdir())]:
            if folder.is_dir() and any(file.name != "__init__.py" for file in folder.glob("*.py")):
                found.append(folder)
    return found
