"""Packages that only some scores need, and what to do where one is missing."""

import importlib
from types import ModuleType

from pmind.errors import DataError


def load(module: str, score: str) -> ModuleType:
    """Import MODULE, which SCORE needs.

    Raises:
        DataError: it cannot be imported; names the extra that brings it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0].replace("_", "-")
        reason = " ".join(str(error).split())
        raise DataError(f"{score} needs the package {package} ({reason}); pip install 'pmind[scores]'") from error
