"""A server of this process that answers with a text made from the prompt, unless it is told to misbehave."""

import json
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def answer_to(prompt: str) -> str:
    return f" answer to {prompt[::-1]}"


class FaultyServer(ThreadingHTTPServer):
    """``faults`` names the method of ``Handler`` for a prompt and how often it was asked before, with arguments."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.faults = lambda prompt, asked_before: ("say",)
        self.asked = []  # path, headers, body
        self.prompts = []  # what each of them asks
        self.answered = Counter()  # prompts that were answered well
        self.lock = threading.Lock()
        self.closing = threading.Event()

    def handle_error(self, *_):
        """A client that gave up, or was killed, is what some tests want."""

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/v1"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # connections are kept, as by real servers

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.chat = "messages" in body
        self.prompt = body["messages"][-1]["content"] if self.chat else body["prompt"]
        with self.server.lock:
            before = self.server.prompts.count(self.prompt)
            self.server.asked.append((self.path, self.headers, body))
            self.server.prompts.append(self.prompt)
        step, *arguments = self.server.faults(self.prompt, before)
        getattr(self, step)(*arguments)

    def say(self, **changes):
        text = answer_to(self.prompt)
        self.say_text(text, {"prompt_tokens": len(self.prompt), "completion_tokens": len(text)}, **changes)
        with self.server.lock:
            self.server.answered[self.prompt] += 1

    def say_text(self, text, usage=None, finish="stop"):
        said = {"message": {"role": "assistant", "content": text}} if self.chat else {"text": text}
        self.send(json.dumps({"choices": [said | {"finish_reason": finish}], "usage": usage}).encode())

    def send(self, data, status=200, headers=()):
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(data))} | dict(headers)).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def fail(self, status, wait=None):
        """Like some servers it repeats what it was sent, the key included."""
        words = f"as scripted, for {self.headers.get('Authorization')}"
        self.send(json.dumps({"error": {"message": words}}).encode(), status, {"Retry-After": wait} if wait else {})

    def break_off(self):
        self.send(b'{"choices": [{"text": "half an ans', headers={"Content-Length": "500"})
        self.close_connection = True

    def end_early(self):
        """Half a body that only the closed connection ends."""
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b'{"choices": [{"text": "half an ans')
        self.close_connection = True

    def drop(self):
        self.close_connection = True

    def hang(self):
        self.server.closing.wait(60)
        self.close_connection = True

    def redirect(self):
        self.send(b"", 307, {"Location": f"{self.server.url}/elsewhere"})

    def log_message(self, *_):
        pass
