"""The same seed gives the same bytes, in this process and in any other."""

import hashlib
import json
import os
import subprocess
import sys

from pmind.corpora.builtin_chained import chained_task
from pmind.corpora.builtin_hinted import hinted_task
from pmind.corpora.builtin_medical import clin_task, exam_task
from pmind.corpora.builtin_reading import reading_task
from pmind.corpora.builtin_text import text_documents

MAKERS = (reading_task, chained_task, hinted_task, exam_task, clin_task, text_documents)
PROGRAM = """
import sys; sys.path.insert(0, {root!r})
from tests.unit.corpora.test_builtin_determinism import digest
print(digest(1))
"""


def digest(seed):
    made = [make("val", 20, seed) for make in MAKERS]
    return hashlib.sha256(json.dumps(made).encode()).hexdigest()


def test_other_processes_with_other_hash_seeds_write_the_same_bytes(request):
    program = PROGRAM.format(root=str(request.config.rootpath))
    for hash_seed in ("0", "12345"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        run = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
        )
        assert run.stdout.strip() == digest(1)


def test_another_seed_gives_other_data():
    assert digest(1) != digest(2)


def test_more_passages_than_names_put_several_questionnaires_under_one_document():
    articles = reading_task("test", 1000, seed=1)["data"]
    assert sum(len(article["paragraphs"]) for article in articles) == 1000
    assert len({article["title"] for article in articles}) == len(articles) < 500
