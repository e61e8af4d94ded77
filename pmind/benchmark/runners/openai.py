"""Any server that speaks the OpenAI completions API: vLLM, SGLang, llama.cpp's server."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

from pmind.benchmark.runners.checks import check_room
from pmind.benchmark.runners.completions import Completion, CompletionServer
from pmind.benchmark.runners.protocol import Run, Setup
from pmind.decoding.branches import GroupRequest
from pmind.errors import DecodingError, ParamsError

PATIENCE_S = 600.0
WAYS_TO_TELL_IDS = ({"return_token_ids": True}, {"logprobs": 1}, {})  # cheapest first
VERSION_PLACES = (("/version", "version"), ("/props", "build_info"), ("/get_server_info", "version"))
FLUSH_PATHS = ("/reset_prefix_cache", "/flush_cache")  # of vLLM in development mode, of SGLang
UNKNOWN = -1  # instead of a token id that the server does not tell


def start(setup: Setup) -> OpenAIRunner:
    """Find the server at the address of SETUP; its dtype and threads are its own business.

    Raises:
        ParamsError: SETUP has no address.
        DecodingError: no such server is there, or it does not take token ids.
    """
    if not setup.url:
        raise ParamsError("server needs the address of a running one; set url, such as http://127.0.0.1:8000")
    return OpenAIRunner(CompletionServer(setup.url, PATIENCE_S), setup)


class OpenAIRunner:
    """A server that gets one request for the context and then all questions at once.

    Prompts are token ids. Answers are token ids where the server tells them (vLLM and SGLang with
    ``return_token_ids``, llama.cpp among its log-probabilities). Elsewhere the text is tokenized
    again by the folder's ``tokenizer.json``; where that is missing or gives another number of
    tokens, every token is ``UNKNOWN`` and only their number is right, by the server's own count or
    else by the chunks of the stream. Such answers cannot be compared with those of other runners.

    Call ``reset`` before each ``run``. It salts vLLM's cache anew or asks the server to empty its
    cache; a server that can do neither gets contexts of other tokens to push the old ones out.
    """

    def __init__(self, server: CompletionServer, setup: Setup) -> None:
        self._server = server
        self._setup = setup
        self._tokenizer = _read_tokenizer(setup.folder)
        models, software = server.get("/v1/models")  # the software by its name for itself
        self._model, self._owner = _first_model(models, server.url)
        self.version: str = f"{self._owner} {_version(server) or software}".strip()
        self._pool = ThreadPoolExecutor(setup.most_branches)
        self._salt = uuid4().hex
        self._options = self._find_options()
        self._fresh = True

    def reset(self) -> None:
        """Make the server forget what it read, or read it anew."""
        self._salt = uuid4().hex
        self._fresh = True
        if self._owner != "vllm" and not any(self._server.post(path) for path in FLUSH_PATHS):
            self._push_out()

    def run(self, request: GroupRequest, answer_tokens: int) -> Run:
        """Answer REQUEST.

        Raises:
            DecodingError: the server fails, has the context in its cache, or ends an answer early.
        """
        check_room(request, answer_tokens, self._setup)
        begin = time.perf_counter()
        if not self._fresh:
            self.reset()
        self._fresh = False
        self._read_context(request.context)
        completions = self._ask_all([(*request.context, *prompt) for prompt in request.prompts], answer_tokens)
        answers = tuple(self._answer(completion, answer_tokens) for completion in completions)
        firsts = [completion.first - begin for completion in completions]
        return Run(answers, min(firsts), max(firsts), answer_tokens - 1)

    def close(self) -> None:
        """Let go of the threads; the server is not ours to stop."""
        self._pool.shutdown(cancel_futures=True)

    def _read_context(self, context: Sequence[int]) -> None:
        if not context:
            return
        completion = self._ask(context, 1)
        if completion.cached_tokens > len(context) // 2:
            raise DecodingError(
                f"{self._server.url} had {completion.cached_tokens} of {len(context)} context tokens in its cache "
                "before the clock started; start it without a cache across requests (llama.cpp: --cache-ram 0)"
            )

    def _ask_all(self, prompts: Sequence[Sequence[int]], answer_tokens: int) -> list[Completion]:
        return list(self._pool.map(lambda prompt: self._ask(prompt, answer_tokens), prompts))

    def _ask(self, prompt: Sequence[int], answer_tokens: int) -> Completion:
        return self._server.complete(self._options | self._body(prompt, answer_tokens))

    def _body(self, prompt: Sequence[int], answer_tokens: int) -> dict:
        return {
            "model": self._model,
            "prompt": list(prompt),
            "max_tokens": answer_tokens,
            "temperature": 0,
            "ignore_eos": True,
            "cache_salt": self._salt,
        }

    def _answer(self, completion: Completion, answer_tokens: int) -> tuple[int, ...]:
        only_chunks = completion.completion_tokens is None and not completion.ids  # which may hold several tokens
        whole = only_chunks and completion.chunks and completion.finish == "length"
        if completion.tokens != answer_tokens and not whole:
            raise DecodingError(
                f"{self._server.url} gave {completion.tokens} tokens instead of {answer_tokens} and ended for "
                f"'{completion.finish}'; it must support ignore_eos and have room for context, prompt and answer"
            )
        ids = completion.ids
        if len(ids) != answer_tokens and self._tokenizer:
            ids = self._tokenizer.encode(completion.text, add_special_tokens=False).ids
        return tuple(ids) if len(ids) == answer_tokens else (UNKNOWN,) * answer_tokens

    def _find_options(self) -> dict:
        """The cheapest way in which the server tells token ids, else none."""
        for options in WAYS_TO_TELL_IDS[:-1]:
            try:
                completion = self._server.complete(options | self._body((1, 2, 3), 2))
            except DecodingError:  # options that a server does not know may be errors
                continue
            if len(completion.ids) == 2:
                return options
        self._server.complete(self._body((1, 2, 3), 2))  # its refusal, if any, is of the request itself
        return WAYS_TO_TELL_IDS[-1]

    def _push_out(self) -> None:
        """Fill every place of the server's cache with a context that no group has."""
        filler = [1 + index % 2 for index in range(self._setup.context_tokens + self._setup.prompt_tokens)]
        self._ask_all([filler[row % 2 :] for row in range(self._setup.most_branches)], 1)


def _read_tokenizer(folder: Path):
    from tokenizers import Tokenizer

    path = folder / "tokenizer.json"
    return Tokenizer.from_file(str(path)) if path.is_file() else None


def _first_model(models: dict, url: str) -> tuple[str, str]:
    try:
        model = models["data"][0]
        return model["id"], model.get("owned_by", "")
    except (KeyError, IndexError, TypeError) as error:
        raise DecodingError(f"{url}/v1/models lists no model; start the server with one") from error


def _version(server: CompletionServer) -> str:
    """As vLLM, llama.cpp or SGLang tells it, else nothing."""
    for path, key in VERSION_PLACES:
        try:
            return str(server.get(path)[0][key])
        except (DecodingError, KeyError, TypeError):
            continue
    return ""
