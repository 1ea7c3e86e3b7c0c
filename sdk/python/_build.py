"""The build backend: scikit-build-core, and for a source distribution the C sources as well.

A wheel is built from the source tree that this folder lies in. A source distribution cannot reach out of its own folder, so it
is made from a copy of this folder in which the C sources lie as `tree`; pyproject.toml builds it from there.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from typing import Any, Optional

from scikit_build_core import build as _backend
from scikit_build_core.build import (  # noqa: F401
    build_editable,
    build_wheel,
    get_requires_for_build_editable,
    get_requires_for_build_sdist,
    get_requires_for_build_wheel,
    prepare_metadata_for_build_editable,
    prepare_metadata_for_build_wheel,
)

# What the library and the command are built from.
_SOURCES = ("CMakeLists.txt", "LICENSE", "cmake", "core", "optimizers", "contexts", "driver", "worker", "sdk", "cli")


def build_sdist(sdist_directory: str, config_settings: Optional[Any] = None) -> str:
    """PEP 517's hook. Leaves the source tree as it is."""
    here = os.getcwd()
    top = os.path.join(here, "tree" if os.path.isdir("tree") else os.path.join("..", ".."))
    with tempfile.TemporaryDirectory(prefix="prova-sdist-") as folder:
        copy = os.path.join(folder, "prova")
        shutil.copytree(here, copy, ignore=shutil.ignore_patterns("__pycache__", "tree", "build", "dist"))
        for name in _SOURCES:
            _copy(os.path.join(top, name), os.path.join(copy, "tree", name))
        os.chdir(copy)
        try:
            return str(_backend.build_sdist(os.path.join(here, sdist_directory), config_settings))
        finally:
            os.chdir(here)


def _copy(source: str, target: str) -> None:
    if os.path.isdir(source):
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "python"))
    else:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copy(source, target)
