"""What engines of others refuse before they start: a missing package, another dtype or device."""

import importlib
from collections.abc import Collection
from types import ModuleType

from pmind.errors import ModelError


def load_package(module: str, *, engine: str, distribution: str, extra: str) -> ModuleType:
    """Import the top-level MODULE that ENGINE needs.

    Raises:
        ModelError: it cannot be imported; names the DISTRIBUTION and our EXTRA that brings it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        reason = " ".join(str(error).split())
        raise ModelError(
            f"{engine} needs the package {distribution} ({reason}); pip install 'pmind[{extra}]'"
        ) from error


def check_kind(dtype: str, device: str, *, engine: str, dtypes: Collection[str], devices: Collection[str]) -> None:
    """Refuse a dtype or a kind of device that ENGINE does not run.

    Raises:
        ModelError: names what the engine does run.
    """
    if dtype not in dtypes:
        raise ModelError(f"{engine} does not run {dtype} on {device}; set dtype to {' or '.join(dtypes)}")
    if device.split(":")[0] not in devices:
        raise ModelError(f"{engine} does not run on {device}; set device to {' or '.join(devices)}")
