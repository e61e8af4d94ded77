"""Many questions about one context in one decoding pass of a language model."""

import importlib
from typing import Any

_HOME = {  # public name -> module; loaded on first use, so that `import pmind` does not load torch
    "Answer": "pmind.decoding.decoder",
    "GenerationOptions": "pmind.decoding.options",
    "Layout": "pmind.geometry",
    "ParallelDecoder": "pmind.decoding.decoder",
    "PmindError": "pmind.errors",
    "Settings": "pmind.models.settings",
    "build_layout": "pmind.geometry",
    "wire": "pmind.models.wiring",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'pmind' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)
