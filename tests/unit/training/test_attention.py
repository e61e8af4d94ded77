import pytest
import torch
from torch.distributed import destroy_process_group, init_process_group
from torch.nn.functional import scaled_dot_product_attention
from torch.nn.parallel import DistributedDataParallel

from pmind.errors import LayoutError, TrainingError
from pmind.geometry import pad_layouts
from pmind.models.settings import Settings
from pmind.training.attention import BLOCK, BlockPass, FlexPass, causal_bias, open_pass
from pmind.training.batches import Collator, Sample
from pmind.training.loss import summed_loss
from pmind.visibility import VISIBILITIES, columnar, dense_mask
from tests.groups import SHAPES, random_group
from tests.tiny import wired_model

SETTINGS = Settings(rope_2d_ratio=0.25, branch_stride=16, alignment="right", visibility="columnar")
LONG = random_group(BLOCK - 20, [9] * 16, [11] * 16)
LAYOUTS = [LONG.layout("right"), SHAPES["ordinary"].layout("right")]
COORDS = pad_layouts(LAYOUTS, pad_id=0)[1]
NEVER = 1e-30  # a share of weights so small that none is ever dropped


def random_tensors(heads: int = 4, groups: int = 2):
    stream = torch.Generator().manual_seed(0)
    batch, length = COORDS.shape[:2]
    return [torch.randn(batch, count, length, 16, generator=stream) for count in (heads, groups, groups)]


def batch_of(group):
    samples = [Sample(group.context, group.prompts, group.answers, [True] * len(group.prompts))]
    return Collator("right", 0, 0)(samples)


def test_auto_is_blocks_on_a_cpu():
    assert isinstance(open_pass("auto", columnar, COORDS), BlockPass)
    assert open_pass("dense", columnar, COORDS) is None


def test_flex_without_gradients_runs_on_a_cpu():
    with torch.no_grad():
        assert isinstance(open_pass("flex", columnar, COORDS), FlexPass)
    with pytest.raises(TrainingError, match=r"no backward pass on the device 'cpu'; set training\.attention to auto"):
        open_pass("flex", columnar, COORDS)


def test_an_unknown_attention_is_named():
    with pytest.raises(TrainingError, match="unknown attention 'fast'; use auto, dense, blocks, flex"):
        open_pass("fast", columnar, COORDS)


def test_tokens_out_of_flat_order_are_refused():
    swapped = COORDS.clone()
    swapped[1, [2, 5]] = swapped[1, [5, 2]]
    with pytest.raises(LayoutError, match="token 3 of row 1 stands behind one of a later column"):
        BlockPass(columnar, swapped)


@pytest.mark.parametrize("rule", VISIBILITIES.values(), ids=VISIBILITIES)
def test_bias_is_the_mask_up_to_the_diagonal(rule):
    length = COORDS.shape[1]
    assert length > 2 * BLOCK
    assert length % BLOCK > 0
    read = causal_bias(rule, COORDS, torch.float32)[:, 0] == 0  # [B, T, T]
    upto = torch.ones(length, length, dtype=torch.bool).tril()
    real = COORDS[..., 0] >= 0
    visible = dense_mask(rule, COORDS, COORDS)
    assert (read & upto).equal(visible & upto)
    assert not (visible & ~upto)[real].any()  # so nothing that a real token may read is left out


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
@pytest.mark.parametrize(("kind", "options"), [(BlockPass, {}), (BlockPass, {"dropout": NEVER}), (FlexPass, {})])
def test_scaled_scores(kind, options):
    """A scale that no kernel takes by itself; with a dropout that drops nothing, block by block."""
    query, key, value = random_tensors()
    visible = dense_mask(columnar, COORDS, COORDS)[:, None]
    expected = scaled_dot_product_attention(query, key, value, attn_mask=visible, scale=0.3, enable_gqa=True)
    actual = kind(columnar, COORDS).attend(0, query, key, value, 0.3, **options)
    real = (COORDS[..., 0] >= 0)[:, None, :, None]
    torch.testing.assert_close(actual * real, expected * real, rtol=0, atol=1e-5)
    assert actual.isfinite().all()


def test_dropout_drops_its_share():
    """Values of ones add up to 1 without dropout; with it to a mean of 1, spread as p / (1 - p) says."""
    query, key, value = random_tensors()
    torch.manual_seed(0)
    outputs = [
        BlockPass(columnar, COORDS).attend(0, 0 * query, key, torch.ones_like(value), 1.0, dropout=0.25)[0, :, -1, 0]
        for _ in range(40)
    ]
    seen = int(columnar(COORDS[0, -1], COORDS[0]).sum())
    outputs = torch.stack(outputs).flatten()
    assert outputs.mean().item() == pytest.approx(1, abs=0.02)
    assert outputs.var().item() == pytest.approx(0.25 / 0.75 / seen, rel=0.4)


def test_a_model_in_training_drops_weights_through_blocks():
    model = wired_model("llama_gqa", SETTINGS, attention_dropout=0.3)
    batch = batch_of(SHAPES["ordinary"])
    with torch.no_grad():
        plain = summed_loss(model, batch, columnar).item()
        dropped = {summed_loss(model.train(), batch, columnar).item() for _ in range(2)}
    assert len({plain, *dropped}) == 3


def test_flex_refuses_dropout():
    model = wired_model("llama_gqa", SETTINGS, attention_dropout=0.3).train()
    with torch.no_grad(), pytest.raises(TrainingError, match=r"attention_dropout is 0\.3: set it to 0 in config\.json"):
        summed_loss(model, batch_of(SHAPES["ordinary"]), columnar, "flex")


def test_a_model_wrapped_by_ddp(tmp_path):
    model, batch = wired_model("llama_gqa", SETTINGS), batch_of(LONG)
    summed_loss(model, batch, columnar, "dense").backward()
    expected = [parameter.grad.clone() for parameter in model.parameters()]
    model.zero_grad()
    init_process_group("gloo", init_method=f"file://{tmp_path / 'store'}", rank=0, world_size=1)
    try:
        summed_loss(DistributedDataParallel(model), batch, columnar).backward()
    finally:
        destroy_process_group()
    for parameter, gradient in zip(model.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, rtol=0, atol=1e-3 * float(gradient.abs().max()))


def test_a_model_wrapped_by_peft():
    peft = pytest.importorskip("peft")
    model = wired_model("llama_gqa", SETTINGS)
    config = peft.LoraConfig(r=2, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM", init_lora_weights=False)
    wrapped, batch = peft.get_peft_model(model, config), batch_of(LONG)
    expected = summed_loss(wrapped, batch, columnar, "dense")
    actual = summed_loss(wrapped, batch, columnar)
    assert actual.item() == pytest.approx(expected.item(), rel=1e-5)
    actual.backward()
    assert all(p.grad.abs().max() > 0 for p in wrapped.parameters() if p.requires_grad)
