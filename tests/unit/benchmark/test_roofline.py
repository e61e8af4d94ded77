import pytest
import torch

from pmind.benchmark.flops import count_column
from pmind.benchmark.roofline import Machine, column_floor, kv_bytes_predicted, linear_weights, measure_machine
from pmind.benchmark.workload import Workload
from pmind.models.presets import KNOWN, PRESETS, timed_config
from tests.tiny import KINDS, stock_model

WORK = Workload(context_tokens=100, prompt_tokens=10, answer_tokens=21)
SLOW_MEMORY, SLOW_CORES = Machine(bandwidth=1e6, peak=1e15), Machine(bandwidth=1e15, peak=1e6)


@pytest.mark.parametrize("kind", KINDS)
def test_linear_weights_are_the_models_matrices(kind):
    model = stock_model(kind, tie_word_embeddings=False)
    matrices = sum(weight.numel() for name, weight in model.named_parameters() if weight.dim() == 2)
    assert linear_weights(model.config) == matrices - model.get_input_embeddings().weight.numel()


def test_a_tied_embedding_counts_once():
    tied, untied = (stock_model(tie_word_embeddings=tied).config for tied in (True, False))
    assert linear_weights(tied) == linear_weights(untied)


@pytest.mark.parametrize("questions", [1, 8])
@pytest.mark.parametrize("name", ["tiny", "minimind-26m", "qwen2.5-7b", "llama-3-8b"])
def test_operations_by_the_formula_are_those_that_torch_counts(name, questions):
    config = timed_config(name)
    floor = column_floor(config, torch.bfloat16, WORK, questions, SLOW_CORES)
    assert floor.flops == count_column(config, WORK, questions)


def test_the_floor_is_the_slower_of_reading_and_computing():
    config = timed_config("tiny")
    reading = column_floor(config, torch.float32, WORK, 4, SLOW_MEMORY)
    computing = column_floor(config, torch.float32, WORK, 4, SLOW_CORES)
    assert reading.milliseconds == pytest.approx(1000 * reading.bytes / 1e6)
    assert computing.milliseconds == pytest.approx(1000 * computing.flops / 1e6)


def test_a_column_reads_the_context_once_whatever_the_branches():
    config = timed_config("tiny")
    short, long = Workload(0, 10, 21), Workload(100, 10, 21)

    def context_bytes(questions):
        sizes = [column_floor(config, torch.float32, work, questions, SLOW_CORES).bytes for work in (short, long)]
        return sizes[1] - sizes[0]

    assert context_bytes(1) == context_bytes(32) == kv_bytes_predicted(config, torch.float32, Workload(100, 1, 0), 1)


def test_known_shapes_have_their_published_sizes():
    billions = {name: linear_weights(timed_config(name)) / 1e9 for name in KNOWN}
    assert billions == pytest.approx(
        {"qwen2.5-0.5b": 0.494, "qwen2.5-1.5b": 1.543, "qwen2.5-7b": 7.07, "llama-3-8b": 7.504}, rel=0.01
    )
    assert linear_weights(timed_config("minimind-26m")) == pytest.approx(25.8e6, rel=0.01)
    assert set(PRESETS) & set(KNOWN) == set()


def test_the_machine_is_measured():
    machine = measure_machine(torch.float32, torch.device("cpu"))
    assert machine.bandwidth > 1e8
    assert machine.peak > 1e8
