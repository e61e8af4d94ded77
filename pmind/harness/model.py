"""The model ``pmind`` of lm-evaluation-harness: requests that begin alike are read as one group.

Everything about text is the harness's own ``hf`` model's, whose class this one extends: loading,
tokenisation, truncation, chat templates, rolling windows, what is cut off an answer. Only what the
model computes is done here, so in the lossless setting (the default for any stock model: isolated,
alignment ``own``) scores and greedy answers are those of ``hf``.
"""

import dataclasses
import logging
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from lm_eval.api.registry import register_model
from lm_eval.models.huggingface import HFLM
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from tqdm import tqdm

from pmind.decoding.branches import GroupRequest
from pmind.decoding.engine import decode
from pmind.decoding.options import GenerationOptions
from pmind.decoding.reader import Reader
from pmind.decoding.scoring import Scored, score_candidates
from pmind.errors import DecodingError, ModelError
from pmind.harness.generation import generation_options, stop_test
from pmind.harness.grouping import PromptGroup, TokenIds, Work, group_prompts
from pmind.models.merging import plain_folder
from pmind.models.settings import Settings, apply_requested, load_settings
from pmind.models.wiring import wire
from pmind.native.column import pack

SETTINGS = tuple(entry.name for entry in dataclasses.fields(Settings))
UNSUPPORTED = ("revision", "subfolder", "parallelize", "tp_plan", "mixed_precision_dtype", "peft", "delta", "gguf_file")

Request = tuple[tuple[str, str] | None, list[int], list[int]]  # texts, context, continuation
Places = Mapping[TokenIds, Sequence[int]]  # where in a list of requests each text is asked for

logger = logging.getLogger(__name__)


@register_model("pmind")
class PmindLM(HFLM):
    """Scores and answers groups of requests in parallel passes.

    Args:
        pretrained: a pmind checkpoint, or any Hugging Face RoPE model; folder or Hub id.
        branches: most prompts decoded together.
        max_groups: groups decoded together in generation.
        compiled: on a CPU, use the compiled column where the model and a C++ compiler allow it.
        override: decode with other settings than the checkpoint was trained with.
        device: ``cuda`` where there is one, else ``cpu``.
        **options: settings such as ``visibility=isolated`` (:class:`pmind.models.settings.Settings`), and
            the options of the harness's ``hf``. Its batch sizes mean nothing here: all requests
            come at once, and are gathered by their prefixes.

    Raises:
        ModelError: the model is missing or of a kind that cannot be wired, or an option is not supported.
        SettingsError: the checkpoint was trained with other settings.

    Attributes:
        settings: how branches are told apart.
        work: what grouping saved so far.
    """

    def __init__(
        self,
        pretrained: str,
        *,
        branches: int = 8,
        max_groups: int = 1,
        compiled: bool = True,
        override: bool = False,
        device: str | None = None,
        **options: Any,
    ) -> None:
        for name in UNSUPPORTED:
            if options.get(name):
                raise ModelError(f"{name} is not supported by the model 'pmind'; save the model as a folder of its own")
        requested = {name: options.pop(name) for name in SETTINGS if name in options}
        self.branches, self.max_groups, self.work = branches, max_groups, Work()
        with plain_folder(pretrained) as folder:
            self.settings = apply_requested(load_settings(folder), requested, override=override, where=pretrained)
            super().__init__(str(folder), device=device or ("cuda" if torch.cuda.is_available() else "cpu"), **options)
        self._parameters = self.model.num_parameters()
        wired = wire(self.model, self.settings)
        self._model = pack(wired) if compiled else wired  # only now: HFLM's constructor ties the weights

    @property
    def batch_size(self) -> int:
        """Requests that HFLM's own loops hand on at a time: all of them."""
        return sys.maxsize

    @property
    def _quiet(self) -> bool | None:
        """What tqdm takes as ``disable``: no bar where stderr is no terminal, or another process shows it."""
        return True if self.rank != 0 else None

    def get_model_info(self) -> dict[str, Any]:
        """What the harness reports of a model; packed weights are no parameters, so those are told here."""
        return super().get_model_info() | {"model_num_parameters": self._parameters}

    def _loglikelihood_tokens(
        self, requests: Sequence[Request], disable_tqdm: bool = False, override_bs: int | None = None
    ) -> list[tuple[float, bool]]:
        """Log-likelihood of each continuation, and whether it is the greedy one, in the order of REQUESTS."""
        asked: dict[TokenIds, dict[TokenIds, list[int]]] = {}
        cut = 0
        for index, (_, context, continuation) in enumerate(requests):
            prompt = self._prompt(context, continuation)
            cut += len(prompt) < len(context)
            asked.setdefault(prompt, {}).setdefault(tuple(continuation), []).append(index)
        if cut:
            logger.warning("%d of %d contexts are cut on the left: over %d tokens", cut, len(requests), self.max_length)
        answers: list[tuple[float, bool]] = [(0.0, False)] * len(requests)
        bar = tqdm(total=len(requests), disable=disable_tqdm or self._quiet, desc="Scoring groups of requests")
        for places, scored in self._score(asked, len(requests)):
            for index in places:
                answers[index] = (scored.log_probability, scored.greedy)
                if requests[index][0] is not None:  # rolling windows are cached as a whole
                    self.cache_hook.add_partial("loglikelihood", requests[index][0], answers[index])
            bar.update(len(places))
        bar.close()
        return answers

    def _prompt(self, context: list[int], continuation: list[int]) -> TokenIds:
        """What is read before CONTINUATION: as much of CONTEXT as leaves room for it, the left end cut off."""
        if not context or not 0 < len(continuation) <= self.max_length:
            raise DecodingError(
                f"cannot score {len(continuation)} tokens after {len(context)}: both need at least one, and the "
                f"continuation at most {self.max_length}, the model's positions"
            )
        window = (context + continuation)[-(self.max_length + 1) :]
        return tuple(window[: -len(continuation)])

    def _score(
        self, asked: Mapping[TokenIds, Mapping[TokenIds, list[int]]], requests: int
    ) -> Iterator[tuple[list[int], Scored]]:
        """Places and score of each continuation of each prompt, group by group."""
        prompts = list(asked)
        groups = self._gather(prompts, requests)
        reader = Reader(self.model, self.settings)
        context = reader.read_context(())
        for group in groups:
            if context.token_ids != group.context:
                context = reader.read_context(group.context)
            request = dataclasses.replace(_request(group, prompts), read=context)
            candidates = [asked[prompts[member]] for member in group.members]
            scored = score_candidates(self.model, self.settings, request, [list(texts) for texts in candidates])
            for texts, results in zip(candidates, scored, strict=True):
                yield from zip(texts.values(), results, strict=True)

    def _gather(self, prompts: Sequence[TokenIds], requests: int) -> list[PromptGroup]:
        groups = group_prompts(prompts, self.branches)
        self.work.note(requests, prompts, groups)
        logger.info("%d requests, %d different prompts in %d groups", requests, len(prompts), len(groups))
        return groups

    def _model_generate(
        self,
        context: Tensor,
        max_length: int,
        stop: list[str],
        attention_mask: Tensor | None = None,
        **generation_kwargs: Any,
    ) -> Tensor:
        """Continue ``[B, T]`` padded prompts: ``[B, T + answer]``, padded on the right.

        Where sampling is asked for, a prompt that comes several times has as many different answers.
        """
        real = torch.ones_like(context) if attention_mask is None else attention_mask
        prompts = [tuple(row[mask.bool()].tolist()) for row, mask in zip(context, real, strict=True)]
        checkpoint = self.model.generation_config
        room = max_length - context.shape[1]
        options = generation_options(generation_kwargs, checkpoint, room, seed=torch.initial_seed() % 2**32)
        answers: list[list[int]] = [[]] * len(prompts)
        for turn, places in enumerate(_turns(prompts, options.do_sample)):
            turned = dataclasses.replace(options, seed=options.seed + turn)
            requests = sum(map(len, places.values()))
            for prompt, answer in self._decode(list(places), requests, turned, stop).items():
                for index in places[prompt]:
                    answers[index] = answer
        rows = [torch.tensor(answer, dtype=context.dtype, device=context.device) for answer in answers]
        padded = pad_sequence(rows, batch_first=True, padding_value=self.tokenizer.pad_token_id)
        return torch.cat((context, padded), dim=1)

    def _decode(
        self, prompts: list[TokenIds], requests: int, options: GenerationOptions, stop: list[str]
    ) -> dict[TokenIds, list[int]]:
        """Answer tokens of different prompts."""
        groups = self._gather(prompts, requests)
        stops = stop_test(self.tokenizer, stop, self.model.generation_config)
        answers: dict[TokenIds, list[int]] = {prompt: [] for prompt in prompts}
        bar = tqdm(total=len(prompts), disable=self._quiet, desc="Decoding groups of requests")
        for event in decode(
            self.model,
            self.settings,
            [_request(group, prompts) for group in groups],
            options,
            stops,
            max_groups=self.max_groups,
            share_contexts=True,
        ):
            for token in event.tokens:
                prompt = prompts[groups[event.group].members[token.branch - 1]]
                answers[prompt].append(token.token_id)
                bar.update(token.finish_reason is not None)
        bar.close()
        return answers


def _request(group: PromptGroup, prompts: Sequence[TokenIds]) -> GroupRequest:
    rests = tuple(prompts[member][len(group.context) :] for member in group.members)
    return GroupRequest(group.context, rests)


def _turns(prompts: Sequence[TokenIds], one_each: bool) -> list[Places]:
    """Where the different prompts stand; with ONE_EACH, a prompt's repetitions are put into later turns."""
    turns: list[dict[TokenIds, list[int]]] = []
    seen: Counter[TokenIds] = Counter()
    for index, prompt in enumerate(prompts):
        turn = seen[prompt] if one_each else 0
        seen[prompt] += 1
        if turn == len(turns):
            turns.append({})
        turns[turn].setdefault(prompt, []).append(index)
    return turns
