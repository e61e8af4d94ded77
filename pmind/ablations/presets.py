"""How large the ablations are: parameters that every cell of a preset has.

The loss is compared between models that read unrelated texts, hardly any of them twice: replays of
one passage would help each other, and with few texts branches keep a model from learning them by
heart. Where questions are answered, models must first learn to read a passage, which takes replays
of it and more steps.
"""

from collections.abc import Mapping

from pmind.ablations.sweeps import Value

PRESETS: dict[str, Mapping[str, Value]] = {
    # about a minute a model on one core: enough for differences between settings to show
    "cpu": {
        "base_model": "tiny",
        "text.train_documents": 10_000,
        "text.val_documents": 64,  # about 100 passages: fewer than 64 give no loss at 64 branches
        "tokenizer.vocab_size": 1024,
        "pretrain.steps": 240,
        "pretrain.batch_size": 32,
        "pretrain.max_branches": 16,
        "pretrain.max_branch_tokens": 64,
        "pretrain.shared_context_share": 0.0,
    },
    # the size of the method's published runs; name real text beside it: -S text.source=...
    "gpu": {
        "base_model": "minimind-26m",
        "text.train_documents": 200_000,
        "text.val_documents": 64,
        "tokenizer.vocab_size": 6400,
        "training.dtype": "bfloat16",
        "training.part_tokens": 65_536,
        "pretrain.steps": 6000,
        "pretrain.batch_size": 512,
        "pretrain.max_branches": 16,
        "pretrain.max_branch_tokens": 256,
        "pretrain.shared_context_share": 0.0,
        "pretrain.warmup_steps": 200,
        "pretrain.checkpoint_every": 500,
        "finetune.steps": 3000,
        "finetune.batch_size": 64,
        "finetune.checkpoint_every": 500,
    },
    # every stage once, nothing learnt
    "smoke": {
        "base_model": "tiny",
        "text.train_documents": 40,
        "text.val_documents": 1,
        "tokenizer.vocab_size": 400,
        "squad.train_groups": 8,
        "squad.test_groups": 6,
        "cmb.train_groups": 8,
        "pretrain.steps": 2,
        "pretrain.batch_size": 4,
        "pretrain.max_branch_tokens": 32,
        "pretrain.shared_context_share": 0.0,
        "finetune.steps": 2,
        "finetune.batch_size": 2,
        "decode.max_new_tokens": 2,
    },
}

ANSWERING: dict[str, Mapping[str, Value]] = {  # what differs in sweeps that answer questions, too
    # the pipeline's own sizes: about ten minutes a model on one core
    "cpu": {
        "text.train_documents": 6000,
        "tokenizer.vocab_size": 2048,
        "pretrain.steps": 500,
        "pretrain.batch_size": 36,
        "pretrain.max_branches": 8,
        "pretrain.max_branch_tokens": 128,
        "pretrain.shared_context_share": 1.0,
    },
    "gpu": {"pretrain.shared_context_share": 0.5},
    "smoke": {"pretrain.shared_context_share": 1.0},
}
