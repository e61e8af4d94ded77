import pytest
import torch

from pmind.decoding.branches import GroupRequest
from pmind.decoding.reader import Reader
from pmind.models.settings import STOCK, Settings
from tests.groups import random_group
from tests.reference import LEGAL, assert_close, differ
from tests.tiny import KINDS, decoder_of, wired_model

REQUEST = random_group(11, [4, 1, 3]).request


def read(reader: Reader, request: GroupRequest = REQUEST, columns: int = 2) -> list[torch.Tensor]:
    """Logits after the prompts and after each of some columns."""
    cache = reader.open_cache(reader.read_context(request.context), request, later=columns)
    seen = [reader.read_prompts(cache, request)]
    for step in range(columns):
        fed = [(7 + step, number, 15 + step) for number in request.numbers]
        with torch.inference_mode():
            seen.append(reader.read_column(fed, [(cache, range(len(fed)))]))
    return seen


@pytest.mark.parametrize("chunk", [1, 3, 10, 11, 12])
@pytest.mark.parametrize("kind", KINDS)
def test_a_context_read_in_chunks_is_one_read_at_once(kind, chunk, compiled):
    model = wired_model(kind, compiled=compiled)
    whole, parts = (Reader(model, STOCK, chunk=size) for size in (100, chunk))
    contexts = [reader.read_context(REQUEST.context) for reader in (whole, parts)]
    assert_close(contexts[1].keys, contexts[0].keys, scale=2)
    assert_close(contexts[1].values, contexts[0].values, scale=2)
    for expected, actual in zip(read(whole), read(parts), strict=True):
        assert_close(actual, expected)


def test_an_empty_context_takes_no_pass(compiled):
    context = Reader(wired_model(compiled=compiled), STOCK).read_context(())
    assert context.bytes == 0
    assert not context.freed


@pytest.mark.parametrize(("visibility", "alignment"), LEGAL)
def test_columns_without_attention(visibility, alignment, compiled):
    """A lower bound to time: prompts are read as ever, columns are wrong."""
    settings = Settings(rope_2d_ratio=0.5, branch_stride=5, visibility=visibility, alignment=alignment)
    model = wired_model(settings=settings, compiled=compiled)
    prompts, *columns = read(Reader(model, settings))
    bare_prompts, *bare_columns = read(Reader(model, settings, skip_attention=True))
    assert bare_prompts.equal(prompts)
    for with_attention, without in zip(columns, bare_columns, strict=True):
        assert without.shape == with_attention.shape
        assert without.isfinite().all()
        assert differ(without, with_attention)


def test_decoding_without_attention_runs_to_the_end(compiled):
    decoder = decoder_of(compiled=compiled)
    events = list(decoder.stream_groups([REQUEST, REQUEST], max_groups=2, skip_attention=True))
    assert len(events) == 2 * 64
    assert all(len(event.tokens) == 3 for event in events)
