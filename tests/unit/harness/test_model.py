"""Our model beside the harness's ``hf``: the same requests, the same answers."""

import pytest

from pmind.errors import DecodingError, ModelError, SettingsError

STORY = "Once upon a time there was a little girl named Lily. She loved to play outside in the park. "
OTHER = "The dog ran to the big tree. Tim was happy and he said hello to the bird. "
QUESTIONS = ["What did she see?", "Where was the cat? ", "Lily", "The sun was"]
ENDINGS = [" a big tree", " park", "", " Tim and the dog were very happy.", "ball", "  two blanks"]


def requests(kind, *arguments):
    from lm_eval.api.instance import Instance

    return [Instance(request_type=kind, doc={}, arguments=each, idx=0) for each in arguments]


def assert_same_scores(theirs, ours, tolerance=1e-4):
    assert [greedy for _, greedy in ours] == [greedy for _, greedy in theirs]
    for (expected, _), (actual, _) in zip(theirs, ours, strict=True):
        assert actual == pytest.approx(expected, abs=tolerance)


def scored(lms, *pairs):
    asked = requests("loglikelihood", *pairs)
    theirs = lms.hf.loglikelihood(asked, disable_tqdm=True)
    ours = lms.pmind.loglikelihood(asked, disable_tqdm=True)
    assert_same_scores(theirs, ours)
    return ours


def pairs(*stories):
    """Questions about several stories, mixed; with blanks at the ends of contexts, which the harness moves."""
    return [(story * 3 + text, end) for end in ENDINGS if end for text in QUESTIONS for story in stories]


@pytest.mark.parametrize("model", ["stories", "tiny"])
def test_log_likelihoods_equal_hf(model, request):
    lms = request.getfixturevalue(model)
    before = lms.pmind.work.tokens_read, lms.pmind.work.prompt_tokens
    answers = scored(lms, *pairs(STORY, OTHER))
    assert len({likelihood for likelihood, _ in answers}) > 30
    read, alone = (after - start for after, start in zip(_tokens(lms), before, strict=True))
    assert read < alone / 2  # prefixes were shared


def _tokens(lms):
    return lms.pmind.work.tokens_read, lms.pmind.work.prompt_tokens


def test_greedy_continuations_are_told_from_others(stories):
    asked = requests(
        "generate_until", *((STORY + text.strip(), {"until": [], "max_gen_toks": 9}) for text in QUESTIONS)
    )
    texts = stories.hf.generate_until(asked, disable_tqdm=True)
    likely = [(question.args[0], " " + text) for question, text in zip(asked, texts, strict=True)]
    answers = scored(stories, *likely, *((context, text + " zebra") for context, text in likely), *pairs(STORY))
    greedy = [greedy for _, greedy in answers[: 2 * len(likely)]]
    assert any(greedy[: len(likely)])
    assert not any(greedy[len(likely) :])


def test_an_empty_context_and_long_ones(stories, caplog):
    """Without a context the opening token stands for it; what does not fit into 512 positions goes on the left."""
    long = [(STORY * 40 + text, end) for text in QUESTIONS for end in (" a", " the park was big")]
    scored(stories, ("", " Once upon a time"), ("", "The"), *long, *pairs(STORY)[:4])
    assert "8 of 14 contexts are cut on the left: over 512 tokens" in caplog.text


def test_several_requests_alike_and_several_endings_of_one_prompt(stories):
    answers = scored(stories, *[(STORY, " Lily")] * 3, *((STORY, end) for end in ENDINGS if end))
    assert answers[0] == answers[1] == answers[2]


@pytest.mark.parametrize("opening", [True, False])
def test_the_opening_token_is_put_as_hf_puts_it(stories_path, lm_eval, opening):
    from tests.unit.harness.conftest import both

    lms = both(stories_path, add_bos_token=opening)
    scored(lms, *pairs(STORY)[:6], ("", " Once"))
    asked = requests("generate_until", *((STORY + text, {"until": ["."], "max_gen_toks": 8}) for text in QUESTIONS))
    assert lms.pmind.generate_until(asked, True) == lms.hf.generate_until(asked, True)


def test_rolling_log_likelihoods_equal_hf(stories):
    asked = requests("loglikelihood_rolling", (STORY,), (OTHER * 60,), (STORY * 2 + OTHER,), ("a",))
    theirs = stories.hf.loglikelihood_rolling(asked, disable_tqdm=True)
    ours = stories.pmind.loglikelihood_rolling(asked, disable_tqdm=True)
    assert ours == pytest.approx(theirs, abs=1e-4)
    assert len(set(ours)) == 4


def test_greedy_answers_equal_hf(stories):
    """Several stop strings and lengths at once, too long a context, no stop string at all."""
    kinds = [{"until": [".", " she"], "max_gen_toks": 20}, {"until": "\n", "max_gen_toks": 12}, {"max_gen_toks": 30}]
    contexts = [story + text for story in (STORY, STORY * 40) for text in QUESTIONS]
    asked = requests("generate_until", *((text, dict(kind)) for text in contexts for kind in kinds))
    theirs = stories.hf.generate_until(asked, disable_tqdm=True)
    assert stories.pmind.generate_until(asked, disable_tqdm=True) == theirs
    assert len(set(theirs)) > 8


def test_the_checkpoints_repetition_penalty_equals_hf(stories, monkeypatch):
    asked = requests("generate_until", *((STORY + text, {"until": [], "max_gen_toks": 20}) for text in QUESTIONS))
    plain = stories.pmind.generate_until(asked, disable_tqdm=True)
    for lm in (stories.hf, stories.pmind):
        monkeypatch.setattr(lm.model.generation_config, "repetition_penalty", 1.5)
    penalised = stories.pmind.generate_until(asked, disable_tqdm=True)
    assert penalised == stories.hf.generate_until(asked, disable_tqdm=True) != plain


def test_repeated_sampling_gives_different_answers_and_the_harnesss_seed_decides(stories):
    import torch

    sampling = {"do_sample": True, "temperature": 1.0, "until": [], "max_gen_toks": 8}
    asked = requests("generate_until", *[(STORY, sampling)] * 3, (OTHER, sampling))
    runs = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        runs.append(stories.pmind.generate_until(asked, disable_tqdm=True))
    assert len(set(runs[0])) == 4
    assert runs[0] == runs[1] != runs[2]


def test_groups_of_any_size_give_the_same(stories_path, stories):
    from pmind.harness.model import PmindLM

    single = PmindLM(str(stories_path), branches=1, compiled=False, dtype="float32")
    asked = requests("loglikelihood", *pairs(STORY)[:8])
    assert_same_scores(stories.pmind.loglikelihood(asked, True), single.loglikelihood(asked, True))
    several = PmindLM(str(stories_path), branches=2, max_groups=3, dtype="float32")
    asked = requests("generate_until", *((STORY + text, {"until": [], "max_gen_toks": 9}) for text in QUESTIONS))
    assert several.generate_until(asked, True) == stories.pmind.generate_until(asked, True)


def test_results_are_cached_request_by_request(stories, monkeypatch):
    kept = {}
    hook = type("Hook", (), {"add_partial": lambda self, kind, texts, result: kept.update({(kind, *texts): result})})
    monkeypatch.setattr(stories.pmind, "cache_hook", hook())
    asked = requests("loglikelihood", *pairs(STORY)[:5])
    answers = stories.pmind.loglikelihood(asked, disable_tqdm=True)
    assert kept == {("loglikelihood", *each.args): answer for each, answer in zip(asked, answers, strict=True)}


def test_an_ending_longer_than_the_model(stories):
    with pytest.raises(DecodingError, match="continuation at most 512"):
        stories.pmind.loglikelihood(requests("loglikelihood", ("Once", STORY * 40)), disable_tqdm=True)


def test_the_harness_finds_the_model_and_learns_its_size(stories):
    from lm_eval.api.registry import get_model

    assert get_model("pmind") is type(stories.pmind)
    assert stories.pmind.get_model_info()["model_num_parameters"] == stories.hf.get_model_info()["model_num_parameters"]


def test_arguments_as_the_command_line_gives_them(stories_path, stories):
    made = type(stories.pmind).create_from_arg_string(f"pretrained={stories_path},branches=3,compiled=False")
    assert (made.branches, made.device.type in ("cpu", "cuda")) == (3, True)


def test_settings_that_the_checkpoint_was_not_trained_with(stories_path, stories):
    with pytest.raises(SettingsError, match="visibility isolated, but columnar"):
        type(stories.pmind)(str(stories_path), visibility="columnar")
    columnar = type(stories.pmind)(str(stories_path), visibility="columnar", override=True, dtype="float32")
    assert (columnar.settings.visibility, columnar.settings.alignment) == ("columnar", "right")
    asked = requests("loglikelihood", *pairs(STORY)[:8])
    assert columnar.loglikelihood(asked, True) != stories.pmind.loglikelihood(asked, True)


@pytest.mark.parametrize("option", ["parallelize", "peft", "subfolder"])
def test_options_of_hf_that_are_not_supported(stories_path, lm_eval, option):
    from pmind.harness.model import PmindLM

    with pytest.raises(ModelError, match=f"{option} is not supported"):
        PmindLM(str(stories_path), **{option: "x"})


def test_no_such_model(lm_eval):
    from pmind.harness.model import PmindLM

    with pytest.raises(ModelError, match="no such folder"):
        PmindLM("no/such/model")
