"""pmind compare by every method that a server can answer by, against llama-cpp-python's."""

import json
import shutil
from pathlib import Path

import pytest

from pmind.evaluation.preparing import asked_of, prepare
from pmind.evaluation.rows import read_rows
from pmind.methods.catalog import REMOTE
from pmind.methods.group import GroupPrompts
from pmind.remote.engine import KEY_VARIABLES
from tests.servers import hide_keys

SQUAD = Path(__file__).resolve().parents[4] / "shared" / "data" / "squad" / "squad_dev-v1.1.reconstructed.json.xz"
SIZES = {"min_questions": 2, "max_questions": 3, "max_context_tokens": 40}
NEW_TOKENS = 8

pytestmark = pytest.mark.slow


@pytest.fixture
def compare(pmind, llama, stories_path, tmp_path, monkeypatch):
    hide_keys(monkeypatch, KEY_VARIABLES)
    if not SQUAD.is_file():
        pytest.skip("no ../shared/data/squad beside the repository")

    def run(*arguments):
        sizes = [word for name, size in SIZES.items() for word in (f"--{name.replace('_', '-')}", size)]
        code, out, err = pmind(
            "compare", f"squad={SQUAD}", "--url", llama.url, "--api-model", "stories", "--groups", 2, *sizes,
            "--long-contexts", "truncate", "--max-new-tokens", NEW_TOKENS, "--max-groups", 2, "--methods",
            ",".join(REMOTE), "--encoder", stories_path, "--out", tmp_path / "out", *arguments,
        )  # fmt: skip
        assert code == 0, err
        return out

    return run


def answers(folder):
    files = [path for path in (folder / "out" / "squad" / "stories").glob("*.parquet") if ".times" not in path.name]
    return {path.stem.rpartition("-")[0]: read_rows(path) for path in files}


@pytest.mark.parametrize("mode", [(), ("--completions",)], ids=["chat", "completions"])
def test_every_answer_arrives_once_and_a_repeat_asks_for_nothing(compare, llama, tmp_path, mode):
    before = llama.asked()
    first = json.loads(compare("--json", *mode))
    asked = llama.asked()
    assert [row["method"] for row in first["rows"]] == list(REMOTE)
    assert first["conditions"]["requests"] == asked - before > 0
    found = answers(tmp_path)
    assert found.keys() == set(REMOTE)
    ids = [row.question_id for row in found["sequential"]]
    assert len(ids) == len(set(ids)) == first["groups"]["squad"]["questions"] >= 4
    assert all([row.question_id for row in rows] == ids for rows in found.values())
    shutil.rmtree(tmp_path / "out" / "squad")  # what is left are the server's replies
    second = json.loads(compare("--json", *mode))
    assert llama.asked() == asked
    assert (second["conditions"]["requests"], answers(tmp_path)) == (0, found)


def test_each_question_has_the_servers_own_answer(compare, llama, tmp_path):
    compare("--completions")
    asked = asked_of("squad", str(SQUAD), test_groups=2, long_contexts="truncate", **SIZES)
    prepared = prepare(asked, 1, None, NEW_TOKENS)
    expected = []
    for group in prepared.groups:
        prompts = GroupPrompts(group, prepared.asking.template, NEW_TOKENS, prepared.asking.stop)
        whole = [prompts.ask(prompts.prompt(index)) for index in range(prompts.size)]
        replies = [llama.complete(ask.context + ask.prompts[0].flat, NEW_TOKENS, ask.stop)[0] for ask in whole]
        expected += [reply.strip() for reply in replies]
    found = answers(tmp_path)
    assert [row.text for row in found["sequential"]] == [row.text for row in found["batch"]] == expected
    assert len(set(expected)) > 1


def test_the_table_tells_every_method(compare):
    out = compare()
    for text in (*REMOTE, "questions in 2 groups", "EM, %", "s/group", "requests"):
        assert text in out
