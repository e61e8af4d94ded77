from pmind.benchmark.workload import Workload

WORK = Workload(context_tokens=7, prompt_tokens=3, answer_tokens=2, seed=5)


def test_lengths_are_the_ones_asked_for():
    request = WORK.request(4, 61)
    assert len(request.context) == 7
    assert [len(prompt) for prompt in request.prompts] == [3, 3, 3, 3]
    assert all(0 <= token < 61 for prompt in (request.context, *request.prompts) for token in prompt)


def test_the_context_may_be_empty():
    assert Workload(0, 3, 2).request(1, 61).context == ()


def test_the_seed_decides_the_tokens():
    assert WORK.request(4, 61) == WORK.request(4, 61)
    assert WORK.request(4, 61) != Workload(7, 3, 2, seed=6).request(4, 61)


def test_questions_differ():
    assert len(set(WORK.request(16, 61).prompts)) == 16
