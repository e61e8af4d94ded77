"""What every test shares: no network, one thread, few hypothesis examples, models to try things on."""

import os
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"  # before anything imports huggingface_hub

import hypothesis
import pytest
import torch

THREADS = 1  # a second one only waits on models this small: 12 s of tests took 190 s on a busy machine
STORIES = Path(__file__).resolve().parents[2] / "shared" / "models" / "stories260K"

torch.set_num_threads(THREADS)
hypothesis.settings.register_profile(
    "pmind",
    deadline=None,
    max_examples=8,
    derandomize=True,
    database=None,
    phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],  # shrinking runs a model hundreds of times
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)
hypothesis.settings.load_profile("pmind")


@pytest.fixture(scope="module", autouse=True)
def same_torch():
    """The same threads for every module; stages set their own."""
    torch.set_num_threads(THREADS)
    torch.use_deterministic_algorithms(False)


@pytest.fixture(scope="session")
def needs_compiler() -> None:
    """For tests of the compiled column."""
    from pmind.native.library import load

    if load() is None:
        pytest.skip("the compiled column cannot be built here: no C++ compiler, or PMIND_NATIVE=0")


@pytest.fixture(scope="session", params=[False, True], ids=["torch", "compiled"])
def compiled(request) -> bool:
    """Both ways of decoding on a CPU: the model's own code, and the compiled column on packed weights."""
    if request.param:
        request.getfixturevalue("needs_compiler")
    return request.param


@pytest.fixture(scope="session")
def stories_path() -> Path:
    """Folder of a small pretrained model beside the repository."""
    if not (STORIES / "config.json").is_file():
        pytest.skip("no ../shared/models/stories260K beside the repository")
    return STORIES


@pytest.fixture(scope="session")
def llama(stories_path, tmp_path_factory):
    """llama-cpp-python's server with that model."""
    from tests.llamacpp import llama_serving

    with llama_serving(stories_path, tmp_path_factory.mktemp("llama")) as server:
        yield server


@pytest.fixture(scope="session")
def stories_stock(stories_path):
    """The pretrained model as transformers loads it, never wired."""
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(stories_path, attn_implementation="eager").eval()


@pytest.fixture
def stories_decoder(stories_path, compiled):
    """The pretrained model with stock settings, ready to decode."""
    from pmind.decoding.decoder import ParallelDecoder

    return ParallelDecoder.from_pretrained(stories_path, compiled=compiled)


@pytest.fixture(scope="session")
def word_tokenizer():
    """Tokenizer whose id i is the word "wi", for the random models."""
    from tests.tiny import build_word_tokenizer

    return build_word_tokenizer()
