"""pmind evaluate on built-in passages, with a small pretrained model."""

import json
from types import SimpleNamespace

import pytest
from safetensors.torch import load_file, save_file

from pmind.corpora.builtin_reading import reading_task
from pmind.evaluation import answering
from pmind.evaluation.rows import read_rows
from pmind.tasks.catalog import DATASETS


@pytest.fixture
def evaluate(pmind, stories_path, tmp_path):
    """Evaluate a little of the built-in reading task; OUT is below tmp_path."""

    def run(*arguments, dataset="squad", model=stories_path, source="builtin", methods="sequential,parallel"):
        return pmind(
            "evaluate", dataset, "--model", model, "--source", source, "--methods", methods, "--groups", 3,
            "--max-questions", 3, "--max-new-tokens", 3, "--out", tmp_path / "out", *arguments,
        )  # fmt: skip

    return run


def content_of(said):
    code, out, err = said
    assert (code, err) == (0, "")
    return json.loads(out)


def test_every_cell_is_a_row_with_scores_speed_and_its_answers(evaluate, tmp_path):
    content = content_of(evaluate("--branches", "2,3", "--json"))
    folder = tmp_path / "out" / "squad" / "stories260K"
    assert [(row["method"], row["branches"]) for row in content["rows"]] == [
        ("sequential", 1), ("parallel", 2), ("parallel", 3)
    ]  # fmt: skip
    for row in content["rows"]:
        answers = read_rows(folder / row["answers"])
        assert len(answers) == row["questions"] == row["em_n"] > 3
        assert (row["model"], row["dataset"], row["groups"]) == ("stories260K", "squad", 3)
        assert row["tokens"] >= row["questions"]
        assert row["same_answers"] == 1 if row["method"] == "parallel" else "same_answers" not in row
    assert json.loads((folder / "evaluation.json").read_text(encoding="utf-8")) == content


def test_conditions_say_what_the_numbers_depend_on(evaluate):
    conditions = content_of(evaluate("--json", "--seed", 5))["conditions"]
    expected = {
        "model": "stories260K", "parameters": 260_032, "dataset": "squad", "source": "builtin", "max_questions": 3,
        "max_new_tokens": 3, "dtype": "float32", "device": "cpu", "visibility": "isolated", "processes": 1,
        "own_prompts": False, "repeats": 1, "confidence": 0.95,
    }  # fmt: skip
    assert conditions.items() >= expected.items()


def test_the_table_names_methods_scores_and_where_they_are(evaluate, tmp_path):
    code, out, err = evaluate()
    assert code == 0
    for text in ("sequential 1", "parallel 8", "em, %", "difference", "Same, %", "squad, stories260K: "):
        assert text in out
    assert err.strip() == f"saved {tmp_path / 'out' / 'squad' / 'stories260K' / 'evaluation.json'}"


def test_a_second_run_answers_nothing(evaluate, monkeypatch):
    first = content_of(evaluate("--json"))
    monkeypatch.setattr(answering, "answer_questions", lambda *_, **__: 1 / 0)
    assert content_of(evaluate("--json")) == first


def test_a_model_of_the_same_name_is_another_model(evaluate, stories_path, tmp_path):
    """Such as one that was trained anew in its folder."""
    other, out = tmp_path / "stories260K", tmp_path / "out" / "squad" / "stories260K" / "sequential-1.parquet"
    content_of(evaluate("--json"))
    first = [row.text for row in read_rows(out)]
    other.mkdir()
    for file in stories_path.iterdir():
        (other / file.name).write_bytes(file.read_bytes())
    weights = load_file(other / "model.safetensors")
    save_file({name: weight.flip(0) for name, weight in weights.items()}, other / "model.safetensors", {"format": "pt"})
    content_of(evaluate("--json", model=other))
    assert [row.text for row in read_rows(out)] != first


def test_the_table_can_be_kept_for_reports(evaluate, tmp_path):
    kept = tmp_path / "metrics" / "evaluations" / "squad.json"
    content = content_of(evaluate("--keep", kept, "--json"))
    assert json.loads(kept.read_text(encoding="utf-8")) == content


def test_what_was_left_out_is_counted(evaluate, tmp_path):
    data = reading_task("train", 4, 1)
    paragraph = data["data"][0]["paragraphs"][0]
    paragraph["qas"].append({"id": "blank", "question": "Who?", "answers": []})
    (tmp_path / "data.json").write_text(json.dumps(data), encoding="utf-8")
    counts = content_of(evaluate("--json", source=tmp_path / "data.json"))["groups"]
    assert counts["dropped_unanswered_questions"] == 1
    assert counts["groups"] == 3
    assert counts["dropped_groups_over_cap"] > 0


def test_long_contexts_are_cut_where_asked(evaluate):
    counts = content_of(evaluate("--json", "--max-context-tokens", 9, "--long-contexts", "truncate"))["groups"]
    assert counts["max_context_tokens"] == 9
    assert counts["truncated_contexts"] >= counts["groups"] == 3


@pytest.mark.parametrize("rule", ["random", "similar"])
def test_groups_can_be_made_anew(evaluate, tmp_path, rule):
    content = content_of(evaluate("--json", "--grouping", rule, "--similarity", 0))
    assert content["conditions"]["grouping"] == rule
    rows = read_rows(tmp_path / "out" / "squad" / "stories260K" / "parallel-8.parquet")
    assert all(row.prompt.endswith(f"Question: {row.question}\nAnswer:") for row in rows)
    assert any(len({row.document for row in rows if row.group_id == group}) > 1 for group in {r.group_id for r in rows})


def test_programs_are_run_only_where_that_is_allowed(evaluate, tmp_path, monkeypatch):
    task = {
        "task_id": "HumanEval/0", "prompt": "def one():\n    \"\"\"One.\"\"\"\n", "entry_point": "one",
        "canonical_solution": "    return 1\n", "test": "def check(candidate):\n    assert candidate() == 1\n",
    }  # fmt: skip
    path = tmp_path / "HumanEval.jsonl"
    path.write_text(json.dumps(task) + "\n", encoding="utf-8")
    ran = []

    def run(program, allow):
        ran.append(program)
        return SimpleNamespace(passed=allow, reason="passed", guards=())

    with pytest.MonkeyPatch.context() as watched:
        watched.setattr("pmind.evaluation.costly_scores.run_program", run)
        row = content_of(evaluate("--json", dataset="humaneval", source=path))["rows"][0]
        assert (ran, "pass_at_1" in row) == ([], False)
        row = content_of(evaluate("--json", "--run-code", dataset="humaneval", source=path))["rows"][0]
    assert (len(ran), row["pass_at_1"]) == (2, 1)
    assert all(program.startswith(task["prompt"]) for program in ran)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dataset": "sqaud"}, "unknown dataset 'sqaud'; did you mean 'squad'?"),
        ({"methods": "paralel"}, "unknown method 'paralel'"),
        ({"methods": ""}, "name at least one method"),
        ({"source": "gone.json"}, "gone.json: no such file"),
        ({"dataset": "race"}, "dataset 'race' has no built-in data"),
        ({"model": "gone"}, "gone"),
    ],
)
def test_bad_input_gets_one_line_and_exit_code_2(evaluate, arguments, message):
    code, out, err = evaluate(**arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--branches", "many"], "--branches takes numbers"),
        (["--branches", "0"], "each at least 1"),
        (["--grouping", "alphabetical"], "alphabetical"),
        (["--min-questions", 9], "min_questions 9 exceeds max_questions 3"),
        (["--judge-url", "http://127.0.0.1:1/v1"], "a judge needs both --judge-url and --judge-model"),
        (["--visibility", "columnar"], "made for visibility isolated, but columnar"),
    ],
)
def test_bad_options_get_one_line_and_exit_code_2(evaluate, options, message):
    code, out, err = evaluate(*options)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err


def test_a_dataset_that_the_hub_has_not_needs_a_source(pmind, stories_path):
    name = next(name for name, dataset in DATASETS.items() if not dataset.hub)
    code, _, err = pmind("evaluate", name, "--model", stories_path)
    assert code == 2
    assert "name its file or folder with --source" in err
