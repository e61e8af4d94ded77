"""The runner for servers, against a small server in this process."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pmind.benchmark.runners import openai
from pmind.benchmark.runners.protocol import Setup
from pmind.decoding.branches import GroupRequest
from pmind.errors import DecodingError, ParamsError
from tests.servers import serving
from tests.tiny import VOCAB, build_word_tokenizer

CONTEXT = (3, 1, 4, 1, 5)
PROMPTS = ((9, 2), (6,), (5, 3, 5))
REQUEST = GroupRequest(CONTEXT, PROMPTS)
TOKENS = 4


class Server(ThreadingHTTPServer):
    """Answers with a rule instead of a model; its attributes say how, and what it was asked."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.owner = "vllm"
        self.tells = "token_ids"  # or "logprobs", as llama.cpp does, or "text"
        self.counts = True  # the tokens, in a last event
        self.paths = {"/v1/models", "/version", "/v1/completions"}
        self.models = [{"id": "tiny", "owned_by": "vllm"}]
        self.cached = 0  # tokens of the context
        self.trouble = ""
        self.asked = []  # bodies of completions
        self.posted = []  # other paths

    def handle_error(self, *_):
        """A client that gave up is what some tests want."""

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def questions(self):
        """Bodies after those of the probe."""
        return [body for body in self.asked if body["prompt"] != [1, 2, 3]]


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        data = [model | {"owned_by": self.server.owner} for model in self.server.models]
        pages = {"/v1/models": {"data": data}, "/version": {"version": "7"}, "/props": {"build_info": "b9"}}
        if self.path in self.server.paths:
            self.reply(pages[self.path])
        else:
            self.send_error(404)

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path not in self.server.paths:
            self.send_error(404)
        elif self.path != "/v1/completions":
            self.server.posted.append(self.path)
            self.reply({})
        else:
            self.server.asked.append(body)
            self.complete(body)

    def complete(self, body):
        trouble = self.server.trouble if body["prompt"] != [1, 2, 3] else ""
        if trouble == "status 500":
            self.reply({"message": "out of\nmemory"}, 500)
        elif trouble == "not json":
            self.stream(["this is no json"])
        elif trouble == "no tokens" and body["max_tokens"] > 1:
            self.stream([{"choices": [{"text": "", "finish_reason": "length"}]}])
        elif trouble == "error event":
            self.stream([{"error": {"message": "engine died"}}])
        else:
            self.stream(self.events(body, trouble), stuck=trouble == "stuck")

    def events(self, body, trouble):
        answer = rule(body["prompt"], body["max_tokens"])
        answer = answer[:2] if trouble in ("cut off", "stop", "stuck") else answer
        for place, token in enumerate(answer):
            last = place == len(answer) - 1
            finish = {"cut off": None, "stuck": None, "stop": "stop"}.get(trouble, "length") if last else None
            yield {"choices": [{"text": f" w{token}", "finish_reason": finish} | self.told(body, token)]}
        usage = {"completion_tokens": len(answer), "prompt_tokens_details": {"cached_tokens": self.server.cached}}
        yield {"choices": [], "usage": usage if self.server.counts else None}

    def told(self, body, token):
        if self.server.tells == "token_ids" and body.get("return_token_ids"):
            return {"token_ids": [token]}
        if self.server.tells == "logprobs" and body.get("logprobs"):
            return {"logprobs": {"content": [{"id": token, "token": "w"}]}}
        return {"logprobs": None}

    def stream(self, events, stuck=False):
        self.send_response(200)
        self.end_headers()
        for event in events:
            self.wfile.write(f"data: {event if isinstance(event, str) else json.dumps(event)}\n\n".encode())
        while stuck and not self.server.closing.wait(0.01):
            pass
        self.wfile.write(b"data: [DONE]\n\n")

    def reply(self, answer, status=200):
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, *_):
        pass


def rule(prompt, tokens):
    return [(sum(prompt) + place) % VOCAB for place in range(tokens)]


@pytest.fixture
def server():
    server = Server()
    server.closing = threading.Event()
    with serving(server):
        yield server


def setup_for(url: str, folder: Path = Path("nowhere")) -> Setup:
    return Setup(folder, "float32", "cpu", 1, len(CONTEXT), 3, TOKENS, len(PROMPTS), url)


def answers_of(server, folder=Path("nowhere")):
    runner = openai.start(setup_for(server.url, folder))
    run = runner.run(REQUEST, TOKENS)
    runner.close()
    return run.answers


EXPECTED = tuple(tuple(rule(CONTEXT + prompt, TOKENS)) for prompt in PROMPTS)


@pytest.mark.parametrize("tells", ["token_ids", "logprobs"])
def test_answers_are_the_ids_that_the_server_tells_in_the_order_of_the_questions(server, tells):
    server.tells = tells
    assert answers_of(server) == EXPECTED


def test_an_address_may_end_in_v1(server):
    runner = openai.start(setup_for(server.url + "/v1/"))
    assert runner.run(REQUEST, TOKENS).answers == EXPECTED


def test_text_is_tokenized_again(server, tmp_path):
    server.tells = "text"
    build_word_tokenizer().save_pretrained(tmp_path)
    assert answers_of(server, tmp_path) == EXPECTED


@pytest.mark.parametrize("counts", [True, False])
def test_without_ids_and_tokenizer_only_the_number_of_tokens_is_known(server, counts):
    server.tells, server.counts = "text", counts
    assert answers_of(server) == ((openai.UNKNOWN,) * TOKENS,) * len(PROMPTS)


def test_the_context_is_read_before_the_questions(server):
    answers_of(server)
    context, *questions = server.questions
    assert (context["prompt"], context["max_tokens"]) == (list(CONTEXT), 1)
    assert sorted(body["prompt"] for body in questions) == sorted([*CONTEXT, *prompt] for prompt in PROMPTS)
    for body in questions:
        assert body["model"] == "tiny"
        assert body["temperature"] == 0
        assert body["ignore_eos"] is True
        assert body["max_tokens"] == TOKENS


def test_an_empty_context_is_not_read(server):
    runner = openai.start(setup_for(server.url))
    runner.run(GroupRequest((), PROMPTS), TOKENS)
    assert sorted(body["prompt"] for body in server.questions) == sorted(map(list, PROMPTS))


def test_times_and_steps(server):
    run = openai.start(setup_for(server.url)).run(REQUEST, TOKENS)
    assert 0 < run.first_token_s <= run.prefill_s
    assert run.columns == TOKENS - 1


@pytest.mark.parametrize(("path", "version"), [("/version", "vllm 7"), ("/props", "vllm b9")])
def test_the_version_names_the_software(server, path, version):
    server.paths = {"/v1/models", "/v1/completions", path}
    assert openai.start(setup_for(server.url)).version == version


def test_every_run_has_a_salt_of_its_own_even_without_a_reset(server):
    runner = openai.start(setup_for(server.url))
    for _ in range(2):
        runner.run(REQUEST, TOKENS)
    salts = [body["cache_salt"] for body in server.questions]
    one_run = 1 + len(PROMPTS)
    assert len(set(salts[:one_run])) == 1
    assert len(set(salts[one_run:])) == 1
    assert salts[0] != salts[-1]


def test_a_server_that_can_empty_its_cache_is_asked_to(server):
    server.owner, server.paths = "sglang", server.paths | {"/flush_cache"}
    openai.start(setup_for(server.url)).reset()
    assert server.posted == ["/flush_cache"]
    assert not server.questions


def test_a_server_that_cannot_gets_other_contexts(server):
    server.owner = "llamacpp"
    openai.start(setup_for(server.url)).reset()
    assert len(server.questions) == len(PROMPTS)
    assert all(len(body["prompt"]) >= len(CONTEXT) for body in server.questions)
    assert all(body["prompt"][: len(CONTEXT)] != list(CONTEXT) for body in server.questions)


def test_a_context_from_the_cache_is_refused(server):
    server.cached = len(CONTEXT)
    with pytest.raises(DecodingError, match=r"had 5 of 5 context tokens in its cache"):
        answers_of(server)


@pytest.mark.parametrize(
    ("trouble", "message"),
    [
        ("status 500", r"/v1/completions answered 500: .*out of.*memory.*; see the server's log"),
        ("not json", "sent Expecting value.*; url must be that of a server with the OpenAI completions API"),
        ("error event", "/v1/completions failed: .*engine died.*; see the server's log"),
        ("cut off", "broke off after 1 of 1 tokens"),
        ("stop", "gave 2 tokens instead of 4 and ended for 'stop'; it must support ignore_eos"),
        ("no tokens", "gave 0 tokens instead of 4 and ended for 'length'"),
    ],
)
def test_trouble_of_a_server_is_one_line_that_says_what_and_where(server, trouble, message):
    server.trouble = trouble
    with pytest.raises(DecodingError, match=message) as error:
        answers_of(server)
    assert server.url in str(error.value)
    assert "\n" not in str(error.value)


def test_a_server_that_is_stuck(server, monkeypatch):
    monkeypatch.setattr(openai, "PATIENCE_S", 0.2)
    server.trouble = "stuck"
    with pytest.raises(DecodingError, match=r"/v1/completions did not finish within 0.2 s; see its log"):
        answers_of(server)


def test_a_server_that_drips_is_stuck_too(server, monkeypatch):
    monkeypatch.setattr(openai, "PATIENCE_S", 0.2)
    monkeypatch.setattr(Handler, "events", _drip)
    with pytest.raises(DecodingError, match=r"did not finish within 0.2 s"):
        answers_of(server)


def _drip(handler, body, trouble):
    for _ in range(20):
        time.sleep(0.05)
        yield {"choices": [{"text": "w", "finish_reason": None}]}


def test_a_server_that_refuses_token_ids(server):
    server.paths = {"/v1/models", "/version"}
    with pytest.raises(DecodingError, match=r"answered 404: .*; see .* take prompts as token ids"):
        openai.start(setup_for(server.url))


def test_a_server_without_a_model(server):
    server.models = []
    with pytest.raises(DecodingError, match="lists no model"):
        openai.start(setup_for(server.url))


def test_no_server():
    with pytest.raises(DecodingError, match=r"127\.0\.0\.1:1/v1/models: .*[Rr]efused; start the server there"):
        openai.start(setup_for("http://127.0.0.1:1"))


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "nonsense", "http://"])
def test_no_address_of_a_server(url):
    with pytest.raises(DecodingError, match=r"correct url|must be that of a server"):
        openai.start(setup_for(url))


def test_no_address():
    with pytest.raises(ParamsError, match="set url"):
        openai.start(setup_for(""))


def test_a_group_larger_than_the_runner_was_started_for(server):
    with pytest.raises(DecodingError, match="needs answer_tokens 5 but the runner was started with 4"):
        openai.start(setup_for(server.url)).run(REQUEST, TOKENS + 1)
