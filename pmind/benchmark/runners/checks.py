"""What an engine refuses before it starts: a missing package, another dtype or device, too large a group."""

import importlib
from collections.abc import Collection
from types import ModuleType

from pmind.benchmark.runners.protocol import Setup
from pmind.decoding.branches import GroupRequest
from pmind.errors import DecodingError, ModelError


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


def check_setup(setup: Setup, *, engine: str, dtypes: Collection[str], devices: Collection[str]) -> None:
    """Refuse a dtype or a kind of device that ENGINE does not run.

    Raises:
        ModelError: names what the engine does run.
    """
    if setup.dtype not in dtypes:
        raise ModelError(f"{engine} does not run {setup.dtype} on {setup.device}; set dtype to {' or '.join(dtypes)}")
    if setup.device.split(":")[0] not in devices:
        raise ModelError(f"{engine} does not run on {setup.device}; set device to {' or '.join(devices)}")


def check_room(request: GroupRequest, answer_tokens: int, setup: Setup) -> None:
    """Refuse a group larger than the runner was started for.

    Raises:
        DecodingError: names the size that is exceeded.
    """
    sizes = {
        "context_tokens": (len(request.context), setup.context_tokens),
        "prompt_tokens": (max(map(len, request.prompts)), setup.prompt_tokens),
        "answer_tokens": (answer_tokens, setup.answer_tokens),
        "most_branches": (len(request.prompts), setup.most_branches),
    }
    for name, (wanted, room) in sizes.items():
        if wanted > room:
            raise DecodingError(f"a group needs {name} {wanted} but the runner was started with {room}; start it anew")
