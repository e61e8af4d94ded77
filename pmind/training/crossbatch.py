"""Fine-tuning of a cross-batch module, and of what it is compared with; the decoder's own layers stay as they are.

==================  ====  =======  ======
trained             head  adapter  module
==================  ====  =======  ======
baseline            x
crossbatch          x              x
lora_lmhead         x     x
lora_crossbatch     x     x        x
==================  ====  =======  ======

Where the base is frozen the head stays, too.
"""

from dataclasses import asdict
from pathlib import Path

from peft import PeftModel
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from pmind.crossbatch.config import CrossBatchConfig
from pmind.crossbatch.files import remove_crossbatch, save_crossbatch
from pmind.crossbatch.hook import attach, detach, naming
from pmind.crossbatch.module import CrossBatch
from pmind.crossbatch.peers import answer_peers
from pmind.errors import TrainingError
from pmind.models.adapters import start_adapter
from pmind.models.settings import Settings
from pmind.params import CrossBatchParams, LoraParams
from pmind.training.batches import NO_LABEL, TrainingBatch
from pmind.training.learnt import Learnt, forget_learnt, write_learnt
from pmind.training.loop import Loss
from pmind.training.start import save_trained


def choose_learners(
    network: PreTrainedModel, model: str | Path, crossbatch: CrossBatchParams, lora: LoraParams
) -> PreTrainedModel | PeftModel:
    """Freeze a model but for what the params let learn, and give it the adapter and the module that they ask for.

    Args:
        network: wired, without an adapter.
        model: folder or Hub id it was loaded from.
        crossbatch: what learns; not ``none``.
        lora: the adapter's shape.

    Returns:
        The same model, inside its adapter where it has one. Neither changes what it computes at first.

    Raises:
        TrainingError: the params leave nothing to learn, or ask for a second adapter.
        ModelError: a module that does not fit the model.
    """
    _check_learners(network, crossbatch)
    network.requires_grad_(False)
    head = network.get_output_embeddings() if crossbatch.freeze_base else untie_head(network)
    if crossbatch.train.startswith("lora"):
        network = start_adapter(network, model, **asdict(lora))
    head.requires_grad_(not crossbatch.freeze_base)
    if crossbatch.train.endswith("crossbatch"):
        config = CrossBatchConfig(crossbatch.kind, crossbatch.heads, crossbatch.layer, crossbatch.combine)
        attach(network, CrossBatch(network.config.hidden_size, config))
    return network


def untie_head(model: PreTrainedModel) -> nn.Module:
    """A model's output head, with a matrix of its own where it shared that of the embeddings."""
    head = model.get_output_embeddings()
    if head.weight is model.get_input_embeddings().weight:
        head.weight = nn.Parameter(head.weight.detach().clone())
        model.config.tie_word_embeddings = False
    return head


def exchanging(loss: Loss) -> Loss:
    """The same loss of a model whose module is told, in each call, which of the batch's tokens are peers."""

    def told(model: nn.Module, batch: TrainingBatch) -> Tensor:
        return loss(naming(model, answer_peers(batch.coords, batch.labels != NO_LABEL)), batch)

    return told


def save_learnt(
    folder: Path,
    network: PreTrainedModel | PeftModel,
    tokenizer: PreTrainedTokenizerBase,
    settings: Settings,
    learnt: Learnt | None,
) -> None:
    """Write what :func:`choose_learners` let learn: a plain model, adapter merged, and its module beside it.

    Args:
        folder: where to; a model that is there is replaced.
        network: trained; its module is taken from it.
        tokenizer: its own.
        settings: what it was trained for.
        learnt: what it was trained with; ``None`` where the params section ``crossbatch`` trains none.
    """
    remove_crossbatch(folder)
    forget_learnt(folder)
    if learnt is None:
        save_trained(folder, network, tokenizer, settings)
        return
    module = detach(network)
    plain = network.merge_and_unload(safe_merge=True) if isinstance(network, PeftModel) else network
    save_trained(folder, plain, tokenizer, settings)
    write_learnt(folder, learnt)
    if module is not None:
        save_crossbatch(folder, module, model=learnt.base, grouping=learnt.grouping)


def _check_learners(network: PreTrainedModel | PeftModel, crossbatch: CrossBatchParams) -> None:
    if isinstance(network, PeftModel):
        raise TrainingError(
            f"finetune.adapter is lora, but crossbatch.train {crossbatch.train} decides itself what learns. "
            "Set finetune.adapter: none, and crossbatch.train: lora_lmhead or lora_crossbatch for an adapter"
        )
    if crossbatch.freeze_base and not crossbatch.train.endswith("crossbatch"):
        raise TrainingError(
            f"crossbatch.freeze_base leaves {crossbatch.train} no head to train. Set it to false, or train: crossbatch"
        )
