"""The harness's own model and ours, on a small pretrained model and on a random one with more positions."""

from pathlib import Path
from types import SimpleNamespace

import pytest

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"


@pytest.fixture(scope="session")
def lm_eval():
    """The harness, without its look at the whole machine after every evaluation, which takes seconds."""
    lm_eval = pytest.importorskip("lm_eval", reason="lm-evaluation-harness is not installed: pip install lm-eval")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lm_eval.evaluator.add_env_info", lambda results: None)
        yield lm_eval


@pytest.fixture(scope="session")
def exam_data() -> Path:
    """Folder of real data beside the repository."""
    if not (DATA / "mmlu").is_dir():
        pytest.skip("no ../shared/data/mmlu beside the repository")
    return DATA


@pytest.fixture(scope="session")
def manager(lm_eval):
    """Knows MMLU and C-Eval of the harness only: its index of all tasks takes seconds."""
    from lm_eval import tasks

    root = Path(tasks.__file__).parent
    return tasks.TaskManager(include_defaults=False, include_path=[root / "mmlu" / "default", root / "ceval"])


def both(folder, **options) -> SimpleNamespace:
    """``hf`` and ours of one model."""
    from lm_eval.models.huggingface import HFLM

    from pmind.harness.model import PmindLM

    how = {"device": "cpu", "dtype": "float32", **options}
    return SimpleNamespace(hf=HFLM(str(folder), batch_size=4, **how), pmind=PmindLM(str(folder), **how))


@pytest.fixture(scope="session")
def stories(lm_eval, stories_path) -> SimpleNamespace:
    """Pretrained, 512 positions, a tokenizer that opens texts."""
    return both(stories_path)


@pytest.fixture(scope="session")
def tiny(lm_eval, exam_data) -> SimpleNamespace:
    """Random weights, 2,048 positions, a Chinese and English tokenizer that opens no text."""
    from pmind.benchmark.models import model_folder
    from pmind.harness.compare import read_tokenizer

    tokenizer = read_tokenizer(exam_data / "tokenizers" / "minimind_tokenizer.json")
    with model_folder("tiny", "float32", seed=1) as folder:
        return both(folder, tokenizer=tokenizer)
