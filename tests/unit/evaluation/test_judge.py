"""The judge, against a small server in this process that misbehaves by script."""

import json
import re
import sqlite3
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from pmind.errors import DataError, DecodingError, ParamsError
from pmind.evaluation import judge as judge_module
from pmind.evaluation.judge import INSTRUCTIONS, KEY_VARIABLES, Judge, Judged, Judgement, parse_judgement, summarise
from tests.servers import hide_keys, serving

GRADES = {"fluency": 5, "relevance": 4, "completeness": 3, "proficiency": 2}
GOOD = json.dumps(GRADES)
JUDGEMENT = Judgement(5, 4, 3, 2)
ITEM = Judged("病因是什么?", "细菌感染", "可能是感染", "男,40岁", "问:诊断? 答:肺炎")
OTHER = Judged("How is it treated?", "Antibiotics", "With rest")


class Server(ThreadingHTTPServer):
    """Answers each request with the next step of its script, and well when that is over."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.script = []  # names of Handler's methods with their arguments
        self.asked = []  # path, headers, body
        self.under_way, self.most_under_way = 0, 0
        self.lock = threading.Lock()
        self.closing = threading.Event()
        self.together = None  # a barrier at which requests wait for each other

    def handle_error(self, *_):
        """A client that gave up is what some tests want."""

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/v1"


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            self.server.asked.append((self.path, self.headers, body))
            self.server.under_way += 1
            self.server.most_under_way = max(self.server.most_under_way, self.server.under_way)
            step, *arguments = self.server.script.pop(0) if self.server.script else ("say", GOOD)
        try:
            if self.server.together:
                self.server.together.wait(5)
            self.question = body["messages"][-1]["content"]
            getattr(self, step)(*arguments)
        finally:
            with self.server.lock:
                self.server.under_way -= 1

    def say(self, content):
        self.send(json.dumps({"choices": [{"message": {"role": "assistant", "content": content}}]}).encode())

    def grade_by_number(self):
        number = int(re.search(r"question (\d+)", self.question)[1])
        self.say(reply(fluency=1 + number % 5))

    def send(self, data, status=200, **headers):
        self.send_response(status)
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        for name, value in ({"Content-Length": str(len(data))} | given).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def fail(self, status, **headers):
        self.send(b'{"error": "as scripted"}', status, **headers)

    def fail_until(self, date):
        self.fail(429, Retry_After=date)

    def drop(self):
        self.close_connection = True

    def break_off(self):
        self.send(b'{"choices": [{"mess', Content_Length="500")
        self.close_connection = True

    def hang(self):
        self.server.closing.wait(20)

    def drip(self):
        self.send_response(200)
        self.end_headers()
        for _ in range(40):
            self.server.closing.wait(0.05)
            self.wfile.write(b" ")
            self.wfile.flush()

    def redirect(self):
        self.send(b"", 302, Location=f"{self.server.url}/elsewhere")

    def log_message(self, *_):
        pass


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    hide_keys(monkeypatch, KEY_VARIABLES)


@pytest.fixture
def server():
    with serving(Server()) as server:
        yield server


@pytest.fixture
def waits():
    return []


@pytest.fixture
def judge(server, tmp_path, waits):
    return Judge(server.url, "tiny", tmp_path / "cache.sqlite", workers=1, attempts=3, pause=waits.append)


def reply(**changes):
    return json.dumps(GRADES | changes)


def test_what_is_asked(server, judge):
    assert judge.judge([ITEM]) == [JUDGEMENT]
    ((path, headers, body),) = server.asked
    assert path == "/v1/chat/completions"
    assert "Authorization" not in headers
    assert (body["model"], body["temperature"]) == ("tiny", 0)
    system, user = body["messages"]
    assert (system["role"], system["content"], user["role"]) == ("system", INSTRUCTIONS, "user")
    assert user["content"].splitlines() == [
        *("[description]", ITEM.description, "[end of description]"),
        *("[conversation]", ITEM.conversation, "[end of conversation]"),
        *("[question]", ITEM.question, "[end of question]"),
        *("[solution]", ITEM.reference, "[end of solution]"),
        *("[answer]", ITEM.answer, "[end of answer]"),
    ]


@pytest.mark.parametrize(
    ("variables", "sent"),
    [
        ({"OPENAI_API_KEY": "second"}, "Bearer second"),
        ({"OPENAI_API_KEY": "second", "PMIND_JUDGE_API_KEY": "first\n"}, "Bearer first"),
        ({"OPENAI_API_KEY": "second", "PMIND_JUDGE_API_KEY": ""}, "Bearer second"),
    ],
)
def test_the_key_comes_from_the_environment(server, tmp_path, monkeypatch, variables, sent):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    Judge(server.url, "tiny", tmp_path / "cache").judge([ITEM])
    assert server.asked[0][1]["Authorization"] == sent
    assert sent.removeprefix("Bearer ").encode() not in (tmp_path / "cache").read_bytes()


def test_a_key_that_cannot_be_sent_is_not_shown(monkeypatch, tmp_path):
    monkeypatch.setenv("PMIND_JUDGE_API_KEY", "sec\nret")
    with pytest.raises(ParamsError, match="PMIND_JUDGE_API_KEY") as error:
        Judge("http://127.0.0.1:1", "tiny", tmp_path / "cache")
    assert "ret;" not in str(error.value) and "sec\n" not in str(error.value)


@pytest.mark.parametrize(
    ("base", "path"), [("", "/v1"), ("/", "/v1"), ("/v1/", "/v1"), ("/api/paas/v4", "/api/paas/v4")]
)
def test_the_path_of_an_address_is_kept_and_v1_where_it_has_none(server, tmp_path, base, path):
    Judge(server.url.removesuffix("/v1") + base, "tiny", tmp_path / "cache").judge([ITEM])
    assert server.asked[0][0] == f"{path}/chat/completions"


@pytest.mark.parametrize("url", ["", "127.0.0.1:8000", "file:///etc/passwd", "http://", "http://[", "ftp://host/v1"])
def test_no_address_of_a_server(url, tmp_path):
    with pytest.raises(ParamsError, match="is no address of a server"):
        Judge(url, "tiny", tmp_path / "cache")


@pytest.mark.parametrize("options", [{"workers": 0}, {"attempts": 0}, {"timeout_s": 0}, {"backoff_s": -1}])
def test_numbers_that_make_no_sense(options, tmp_path):
    with pytest.raises(ParamsError, match="at least 1"):
        Judge("http://127.0.0.1:1", "tiny", tmp_path / "cache", **options)


@pytest.mark.parametrize(
    "text", [GOOD, f"\n {GOOD} \n", f"```json\n{GOOD}\n```", f"```\n{GOOD}```\n", json.dumps(GRADES, indent=2)]
)
def test_grades_are_read(text):
    assert parse_judgement(text) == JUDGEMENT


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not JSON"),
        ("fluency 5, relevance 4, completeness 3, proficiency 2", "not JSON"),
        (f"Here you are: {GOOD}", "not JSON"),
        (GOOD.replace('"', "'"), "not JSON"),
        (GOOD[:-1], "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("3", "four dimensions"),
        ("[]", "four dimensions"),
        (f"[{GOOD}]", "four dimensions"),
        ('[["fluency", 5], ["relevance", 4], ["completeness", 3], ["proficiency", 2]]', "four dimensions"),
        ('{"fluency": 5, "relevance": 4, "completeness": 3}', "four dimensions"),
        (GOOD[:-1] + ', "fluency": 1}', "four dimensions"),
        (reply(comment="good"), "four dimensions"),
        (reply(fluency=0), "whole number"),
        (reply(fluency=6), "whole number"),
        (reply(fluency=4.0), "whole number"),
        (reply(fluency="5"), "whole number"),
        (reply(fluency=True), "whole number"),
        (reply(fluency=None), "whole number"),
        (reply(fluency=[5]), "whole number"),
        (GOOD.replace("5", "NaN"), "whole number"),
    ],
)
def test_what_is_no_judgement(text, reason):
    with pytest.raises(ValueError, match=reason):
        parse_judgement(text)


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        (("say", "five out of five"), "reply is not JSON"),
        (("say", reply(fluency=6)), "a grade is not a whole number from 1 to 5"),
        (("say", ""), "empty reply"),
        (("say", None), "empty reply"),
        (("fail", 400), "HTTP 400"),
        (("fail", 403), "HTTP 403"),
        (("redirect",), "HTTP 302"),
    ],
)
def test_a_judgement_that_no_attempt_can_mend_is_missing_at_once(server, judge, waits, step, reason):
    server.script = [step]
    assert judge.judge([ITEM, OTHER]) == [None, JUDGEMENT]
    assert judge.missing == {reason: 1}
    assert (len(server.asked), waits) == (2, [])


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        (("fail", 429), "HTTP 429"),
        (("fail", 500), "HTTP 500"),
        (("fail", 503), "HTTP 503"),
        (("drop",), "no connection"),
        (("break_off",), "cut off in transit"),
        (("send", b"<html>busy</html>"), "not a chat completion"),
        (("send", b'{"choices": []}'), "not a chat completion"),
        (("send", b"[" * 100_000), "not a chat completion"),
    ],
)
def test_passing_trouble_is_tried_again_with_growing_waits_and_then_missing(server, judge, waits, step, reason):
    server.script = [step, step]
    assert judge.judge([ITEM]) == [JUDGEMENT]
    assert (len(server.asked), judge.missing) == (3, {})
    assert 0.5 <= waits[0] <= 1 <= waits[1] <= 2
    server.script = [step, step, step]
    assert judge.judge([OTHER]) == [None]
    assert (len(server.asked), judge.missing) == (6, {reason: 1})


@pytest.mark.parametrize("step", ["hang", "drip"])
def test_a_slow_server_times_out(server, tmp_path, waits, step):
    server.script = [(step,), (step,), ("say", GOOD)]
    judge = Judge(server.url, "tiny", tmp_path / "cache", attempts=2, timeout_s=0.3, pause=waits.append)
    assert judge.judge([ITEM]) == [None]
    assert (judge.missing, len(waits)) == ({"timed out": 1}, 1)
    patient = Judge(server.url, "tiny", tmp_path / "cache", timeout_s=20, pause=waits.append)
    assert patient.judge([ITEM]) == [JUDGEMENT]


def test_no_server(tmp_path, waits):
    judge = Judge("http://127.0.0.1:1", "tiny", tmp_path / "cache", attempts=2, pause=waits.append)
    assert judge.judge([ITEM]) == [None]
    assert (judge.missing, len(waits)) == ({"no connection": 1}, 1)


@pytest.mark.parametrize(
    ("value", "low", "high"),
    [
        ("7", 7, 7),
        ("0", 0, 0),
        ("86400", 60, 60),  # no longer than a minute
        ("Wed, 21 Oct 2099 07:28:00 GMT", 60, 60),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0, 0),
        ("Wed, 21 Oct 2015 07:28:00", 0, 0),
        ("soon", 0.5, 1),  # its own wait
        ("-1", 0.5, 1),
    ],
)
def test_retry_after_counts(server, judge, waits, value, low, high):
    server.script = [("fail_until", value)]
    assert judge.judge([ITEM]) == [JUDGEMENT]
    assert len(waits) == 1
    assert low <= waits[0] <= high


@pytest.mark.parametrize(("status", "way_out"), [(401, "set PMIND_JUDGE_API_KEY"), (404, "address or model")])
def test_trouble_that_every_answer_would_have_ends_the_run(server, judge, status, way_out):
    server.script = [("say", GOOD), ("fail", status)]
    with pytest.raises(DecodingError, match=way_out) as error:
        judge.judge([ITEM, OTHER, Judged("a", "b", "c")])
    assert server.url in str(error.value)
    server.script, asked = [("fail", 500)] * 9, len(server.asked)
    assert judge.judge([ITEM]) == [JUDGEMENT]  # what came before is kept
    assert len(server.asked) == asked


def test_a_second_run_asks_nothing(server, judge, tmp_path):
    assert judge.judge([ITEM, OTHER]) == [JUDGEMENT, JUDGEMENT]
    again = Judge(server.url, "tiny", tmp_path / "cache.sqlite")
    assert again.judge([OTHER, ITEM]) == [JUDGEMENT, JUDGEMENT]
    assert len(server.asked) == 2


def test_no_server_is_needed_for_what_is_known(server, judge, tmp_path):
    judge.judge([ITEM])
    assert Judge("http://127.0.0.1:1", "tiny", tmp_path / "cache.sqlite").judge([ITEM]) == [JUDGEMENT]


@pytest.mark.parametrize("field", ["question", "reference", "answer", "description", "conversation"])
def test_another_text_is_another_judgement(server, judge, field):
    judge.judge([ITEM])
    judge.judge([Judged(**{**vars(ITEM), field: "another"})])
    assert len(server.asked) == 2


def test_another_model_or_other_instructions_are_another_judgement(server, judge, tmp_path, monkeypatch):
    judge.judge([ITEM])
    Judge(server.url, "large", tmp_path / "cache.sqlite").judge([ITEM])
    monkeypatch.setattr(judge_module, "INSTRUCTIONS", "Grade it.")
    judge.judge([ITEM])
    assert len(server.asked) == 3


def test_failures_are_not_kept(server, judge):
    server.script = [("say", "no idea"), ("fail", 400)]
    assert judge.judge([ITEM, OTHER]) == [None, None]
    assert judge.judge([ITEM, OTHER]) == [JUDGEMENT, JUDGEMENT]
    assert len(server.asked) == 4


def test_equal_items_are_asked_for_once_and_counted_each(server, judge):
    server.script = [("say", "no idea")]
    assert judge.judge([ITEM, ITEM, ITEM]) == [None] * 3
    assert judge.missing == Counter({"reply is not JSON": 3})
    assert len(server.asked) == 1


def test_answers_belong_to_their_items(server, tmp_path):
    items = [Judged(f"question {number}", "", "") for number in range(12)]
    server.script = [("grade_by_number",)] * len(items)
    expected = [Judgement(1 + number % 5, 4, 3, 2) for number in range(12)]
    assert Judge(server.url, "tiny", tmp_path / "cache", workers=4).judge(items) == expected


@pytest.mark.parametrize("workers", [1, 3])
def test_no_more_requests_than_workers(server, tmp_path, workers):
    server.together = threading.Barrier(workers)  # so many must be under way together
    items = [Judged(str(number), "", "") for number in range(2 * 3)]
    judgements = Judge(server.url, "tiny", tmp_path / "cache", workers=workers).judge(items)
    assert judgements == [JUDGEMENT] * 6
    assert server.most_under_way == workers


def test_a_file_that_is_no_cache(server, tmp_path):
    (tmp_path / "cache").write_text("my notes, more than a hundred characters of them " * 9, encoding="utf-8")
    with pytest.raises(DataError, match=r"cache: not a usable cache of replies .* Give another path"):
        Judge(server.url, "tiny", tmp_path / "cache").judge([ITEM])


def test_a_kept_reply_that_is_no_judgement_is_asked_for_again(server, judge, tmp_path):
    judge.judge([ITEM])
    with sqlite3.connect(tmp_path / "cache.sqlite") as base:
        base.execute("UPDATE replies SET reply = 'five'")
    base.close()
    assert judge.judge([ITEM]) == [JUDGEMENT]
    assert len(server.asked) == 2


def test_no_items(server, judge, tmp_path):
    assert judge.judge([]) == []
    assert not (tmp_path / "cache.sqlite").exists()


def test_missing_judgements_are_no_numbers():
    assert summarise([None, None]) == {"n": 0, "n_missing": 2}
    assert summarise([]) == {"n": 0, "n_missing": 0}
    assert summarise([None, JUDGEMENT]) == {**GRADES, "n": 1, "n_missing": 1}
