import copy
from pathlib import Path

import pytest
import torch
import yaml
from transformers import LlamaConfig

from pmind.corpora.tokenizer import train_tokenizer
from pmind.decoding.decoder import ParallelDecoder
from pmind.errors import DecodingError, ModelError, SettingsError
from pmind.evaluation.answering import Asking, answer_questions, asking_for, fitting_groups
from pmind.evaluation.rows import read_rows, read_times, times_path
from pmind.models.settings import STOCK, Settings, save_settings
from pmind.models.wiring import wire
from pmind.tasks.dataset import Dataset
from pmind.tasks.prompts import PromptTemplate
from pmind.tasks.records import Question, QuestionGroup, write_groups
from stages.decode import main
from tests.passes import PASSES
from tests.tiny import SHAPE, build_word_tokenizer, random_model

GROUPS = [
    QuestionGroup(
        "g1",
        "Torvale",
        "Orin of Torvale paints doors. Mara bakes.",
        (
            Question("q1", "Who paints?", ("Orin", "Orin of Torvale")),
            Question("q2", "Who bakes?", ("Mara",), ("Orin", "Orin of Torvale", "Mara"), (2,)),
            Question("q3", "What does Orin paint?", ("doors",), ("doors", "bread"), (0,), category="things"),
        ),
    ),
    QuestionGroup("g2", "病例", "患者服用阿司匹林。", (Question("q4", "服用什么？", ("阿司匹林",)),)),
]
COLUMNAR = Settings(rope_2d_ratio=0.5, alignment="right", visibility="columnar")
TEMPLATE = {"context": "Read: {context}\n", "prompt": "{question} Say:", "answer": " <{answer}>"}
GEOMETRY = {
    "rope_2d_ratio": 0.5,
    "branch_stride": 1,
    "branch_encoding": "replace",
    "pair_placement": "interleaved",
    "pair_indices": [],
    "alignment": "auto",
    "visibility": "columnar",
}
RUN = {"seed": 1, "threads": 2, "base_model": "tiny", "branches": 2}
SHIPPED = yaml.safe_load((Path(__file__).parents[3] / "params.yaml").read_text(encoding="utf-8"))
DATASET = Dataset(
    about="letters",
    language="en",
    scoring="choice",
    read=None,
    rows=None,
    template=PromptTemplate(prompt="{question}\n{options}\nAnswer:", choice="letter"),
)


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer([group.context for group in GROUPS], 300)


@pytest.fixture(scope="module")
def stock(tokenizer):
    shape = SHAPE | {"vocab_size": len(tokenizer), "num_key_value_heads": 2, "initializer_range": 0.1}
    return random_model(LlamaConfig(**shape))


@pytest.fixture
def make_decoder(stock, tokenizer):
    def make(settings: Settings = STOCK, stop_id: int | None = None) -> ParallelDecoder:
        model = random_model(copy.deepcopy(stock.config))  # wiring changes it
        model.generation_config.eos_token_id = tokenizer.eos_token_id if stop_id is None else stop_id
        return ParallelDecoder(wire(model, settings), tokenizer, settings)

    return make


PLAIN = Asking("squad", "squad", PromptTemplate())


def ask(decoder, method="parallel", groups=GROUPS, asking=PLAIN, **changes):
    limits = {"max_new_tokens": 5, "branches": 2, "max_groups": 2}
    return answer_questions(decoder, method, groups, asking, **limits | changes)


def answer(*args, **changes):
    return ask(*args, **changes).rows


@pytest.mark.parametrize("method", PASSES)
def test_rows_name_their_question_group_and_branch(make_decoder, method):
    rows = answer(make_decoder(), method)
    assert [(row.question_id, row.group_id, row.document) for row in rows] == [
        ("q1", "g1", "Torvale"),
        ("q2", "g1", "Torvale"),
        ("q3", "g1", "Torvale"),
        ("q4", "g2", "病例"),
    ]
    assert [row.branch for row in rows] == ([1, 1, 2, 1] if method == "parallel" else [1, 1, 1, 1])
    assert {row.method for row in rows} == {method}
    assert (rows[0].references, rows[0].question) == (("Orin", "Orin of Torvale"), "Who paints?")
    assert [row.correct for row in rows] == [(), (2,), (0,), ()]
    assert rows[1].options == ("Orin", "Orin of Torvale", "Mara")
    assert [row.category for row in rows] == ["", "", "things", ""]
    assert {(row.dataset, row.scoring) for row in rows} == {("squad", "squad")}
    assert [len(row.option_scores) for row in rows] == [0, 3, 2, 0]


@pytest.mark.parametrize("method", ["sequential", "batch"])
def test_a_lossless_model_answers_and_scores_alike_with_every_method(make_decoder, method):
    decoder = make_decoder()
    for ours, theirs in zip(answer(decoder), answer(decoder, method), strict=True):
        assert (ours.text, ours.token_ids, ours.finish_reason) == (theirs.text, theirs.token_ids, theirs.finish_reason)
        assert ours.option_scores == pytest.approx(theirs.option_scores, abs=1e-4)


@pytest.mark.parametrize("method", PASSES)
def test_option_scores_are_the_stock_models_stop_token_included(make_decoder, stock, tokenizer, method):
    question, template = GROUPS[0].questions[1], PromptTemplate()
    row = answer(make_decoder(), method)[1]
    texts = (template.render_context(GROUPS[0]), template.render_prompt(question))
    head = [token for text in texts for token in tokenizer(text)["input_ids"]]
    for option, score in zip(question.options, row.option_scores, strict=True):
        tail = [*tokenizer(f" {option}")["input_ids"], tokenizer.eos_token_id]
        assert score == pytest.approx(log_likelihood(stock, head, tail), abs=1e-3)


def test_columnar_parallel_scores_depend_on_the_siblings_of_the_pass(make_decoder):
    decoder = make_decoder(COLUMNAR)
    together, apart = answer(decoder)[2], answer(decoder, "sequential")[2]
    assert together.option_scores != pytest.approx(apart.option_scores, abs=1e-4)


def test_the_stop_token_and_outer_blanks_are_left_out(make_decoder):
    free = answer(make_decoder(), groups=GROUPS[1:], max_new_tokens=6)[0]
    assert (free.finish_reason, len(free.token_ids)) == ("length", 6)
    stop = free.token_ids[3]
    stopped = answer(make_decoder(stop_id=stop), groups=GROUPS[1:], max_new_tokens=6)[0]
    expected = free.token_ids[: free.token_ids.index(stop)]
    assert (stopped.finish_reason, stopped.token_ids) == ("stop", expected)
    assert stopped.text == stopped.text.strip()


def test_columns_are_those_of_the_layout(make_decoder):
    decoder = make_decoder()
    template = PLAIN.template
    for row, question in zip(answer(decoder), GROUPS[0].questions, strict=False):
        request = decoder.encode_group(template.render_context(GROUPS[0]), [template.render_prompt(question)])
        start = len(request.context) + len(request.prompts[0])  # alignment own: right after the question
        stopped = row.finish_reason == "stop"
        assert row.columns == (start, start + len(row.token_ids) + stopped - 1)


@pytest.mark.parametrize("method", PASSES)
def test_every_question_has_its_times(make_decoder, method):
    answered = ask(make_decoder(), method)
    assert [times.question_id for times in answered.times] == ["q1", "q2", "q3", "q4"]
    for row, times in zip(answered.rows, answered.times, strict=True):
        several = len(row.token_ids) + (row.finish_reason == "stop") > 1
        assert 0 < times.first_token_s <= times.total_s
        assert (times.first_token_s < times.total_s) == several
        assert row.new_tokens == len(row.token_ids) + (row.finish_reason == "stop")
    assert 0 < answered.prefill_s < answered.seconds


def test_times_begin_with_the_questions_own_pass(make_decoder, monkeypatch):
    """Sequential answers wait for those before them; that wait is none of their own time."""
    ticks = iter(range(10**6))
    monkeypatch.setattr("pmind.methods.local.time.perf_counter", lambda: float(next(ticks)))
    times = ask(make_decoder(), "sequential", max_new_tokens=1).times
    assert max(time.total_s for time in times) < 2 * min(time.total_s for time in times)


def test_a_checkpoint_is_asked_as_it_was_trained(make_decoder):
    decoder = make_decoder(Settings(prompt_template=TEMPLATE))
    asking = asking_for(decoder, "race", DATASET)
    assert asking == Asking("race", "choice", PromptTemplate(**TEMPLATE))
    expected = decoder.generate("Read: 患者服用阿司匹林。\n", ["服用什么？ Say:"], max_new_tokens=5)
    assert answer(decoder, asking=asking)[3].token_ids == expected[0].token_ids
    assert answer(decoder, asking=asking)[3].prompt == "服用什么？ Say:"
    assert answer(decoder)[3].token_ids != expected[0].token_ids


def test_another_model_is_asked_as_is_usual_for_the_dataset(make_decoder):
    assert asking_for(make_decoder(), "race", DATASET) == Asking("race", "choice", DATASET.template, ("\n",))


def test_an_answer_ends_before_a_stop_text(make_decoder):
    free = answer(make_decoder(), groups=GROUPS[1:])[0]
    stop = free.text[2]
    stopped = answer(make_decoder(), groups=GROUPS[1:], asking=Asking("squad", "squad", PromptTemplate(), (stop,)))[0]
    assert (stopped.finish_reason, stopped.text) == ("stop", free.text[: free.text.index(stop)].strip())


def test_programs_keep_their_indentation(make_decoder):
    rows = [
        answer(make_decoder(), groups=GROUPS[1:], asking=Asking("humaneval", scoring, PromptTemplate()), branches=1)[0]
        for scoring in ("humaneval", "squad")
    ]
    decoder = make_decoder()
    whole = decoder.generate("患者服用阿司匹林。\n", ["服用什么？"], max_new_tokens=5)[0].text
    assert rows[0].text == whole
    assert rows[1].text == whole.strip()


def test_letters_are_scored_where_a_letter_is_the_answer(make_decoder, stock, tokenizer):
    question, template = GROUPS[0].questions[1], DATASET.template
    row = answer(make_decoder(), asking=Asking("race", "choice", template))[1]
    texts = (template.render_context(GROUPS[0]), template.render_prompt(question))
    head = [token for text in texts for token in tokenizer(text)["input_ids"]]
    expected = [log_likelihood(stock, head, tokenizer(letter)["input_ids"]) for letter in (" A", " B", " C")]
    assert row.option_scores == pytest.approx(expected, abs=1e-3)  # no stop token: no letter begins with another
    assert row.scoring == "choice"


def test_several_right_options_are_not_ranked(make_decoder):
    several = Question("q", "Who lives here?", ("Orin", "Mara"), ("Orin", "Mara", "Ida"), (0, 1))
    row = answer(make_decoder(), groups=[QuestionGroup("g", "d", "Orin and Mara.", (several,))])[0]
    assert (row.option_scores, row.correct) == ((), (0, 1))


def test_a_question_without_options_in_a_dataset_of_choices_is_free_text(make_decoder):
    rows = answer(make_decoder(), asking=Asking("cmb", "choice", PromptTemplate()))
    assert [row.scoring for row in rows] == ["text", "choice", "choice", "text"]


def test_a_question_brings_its_own_context_and_document(make_decoder):
    question = Question("q", "服用什么？", ("阿司匹林",), context="患者服用阿司匹林。", document="own")
    group = QuestionGroup("g", "exam", "", (question,))
    row, shared = answer(make_decoder(), groups=[group])[0], answer(make_decoder())[3]
    assert (row.prompt, row.question, row.document) == ("患者服用阿司匹林。\n服用什么？", "服用什么？", "own")
    assert row.text == shared.text  # the same tokens, whether they are branch 0 or head the prompt


def test_what_goes_beyond_the_models_positions_is_left_out(make_decoder):
    decoder, template = make_decoder(), PLAIN.template
    prompts = [template.render_prompt(question) for question in GROUPS[0].questions]
    request = decoder.encode_group(template.render_context(GROUPS[0]), prompts)
    lengths = [len(request.context) + len(prompt) for prompt in request.prompts]  # alignment own: no other columns
    positions = decoder.model.config.max_position_embeddings
    longest = max(lengths)
    most = positions - longest
    assert fitting_groups(decoder.texts, GROUPS[:1], PLAIN, most) == (GROUPS[:1], 0)
    assert len(answer(decoder, groups=GROUPS[:1], max_new_tokens=most, branches=1)) == 3
    kept, dropped = fitting_groups(decoder.texts, GROUPS[:1], PLAIN, most + 1)
    assert [question.id for question in kept[0].questions] == [
        question.id for question, length in zip(GROUPS[0].questions, lengths, strict=True) if length < longest
    ]
    assert dropped == lengths.count(longest)
    assert fitting_groups(decoder.texts, GROUPS, PLAIN, positions) == ([], 4)


def test_long_options_take_columns_too(make_decoder):
    decoder = make_decoder()
    long = "word " * decoder.model.config.max_position_embeddings
    question = Question("q", "Which?", ("Orin",), ("Orin", long), (0,))
    groups = [QuestionGroup("g", "d", "Orin.", (question,))]
    assert fitting_groups(decoder.texts, groups, PLAIN, 1) == ([], 1)
    assert fitting_groups(decoder.texts, groups, Asking("race", "choice", DATASET.template), 1)[1] == 1  # in the prompt
    free = [QuestionGroup("g", "d", "Orin.", (Question("q", "Which?", (long,)),))]  # a reference is not scored
    assert fitting_groups(decoder.texts, free, PLAIN, 1) == (free, 0)


def test_no_groups_have_no_answers(make_decoder):
    """A process may be left without work, a test set without another passage."""
    answered = ask(make_decoder(), groups=[])
    assert (answered.rows, answered.times, answered.seconds) == ([], [], 0)


def test_an_unknown_method_names_the_known_ones(make_decoder):
    with pytest.raises(DecodingError, match="unknown method 'paralel'; use parallel, sequential, "):
        answer(make_decoder(), "paralel")


def test_options_need_a_stop_token(make_decoder):
    decoder = ParallelDecoder(make_decoder().model, build_word_tokenizer(), STOCK)
    with pytest.raises(ModelError, match="no eos token"):
        answer(decoder)


@pytest.fixture
def folders(make_decoder, tmp_path):
    """A columnar checkpoint, its questions, and the params file that it was made with."""
    decoder = make_decoder(COLUMNAR)
    random_model(decoder.model.config).save_pretrained(tmp_path / "model")
    decoder.tokenizer.save_pretrained(tmp_path / "model")
    save_settings(tmp_path / "model", COLUMNAR)
    write_groups(tmp_path / "test.jsonl", GROUPS)
    write_params(tmp_path / "params.yaml")
    return tmp_path


def test_the_stage_writes_the_same_rows_twice(folders):
    first, second = folders / "first.parquet", folders / "second.parquet"
    for out in (first, second):
        run_stage(folders, out)
    assert [row.question_id for row in read_rows(first)] == ["q1", "q2", "q3", "q4"]
    assert {(row.dataset, row.scoring) for row in read_rows(first)} == {("squad", "squad2")}
    assert [times.question_id for times in read_times(times_path(first))] == ["q1", "q2", "q3", "q4"]
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("rope_2d_ratio", 0.25, "made for rope_2d_ratio 0.5, but 0.25 is asked for"),
        ("visibility", "isolated", "made for visibility columnar, but isolated is asked for"),
        ("alignment", "left", "made for alignment right, but left is asked for"),
    ],
)
def test_params_that_differ_from_the_checkpoint_are_an_error(folders, key, value, message):
    write_params(folders / "params.yaml", **{key: value})
    with pytest.raises(SettingsError, match=message):
        run_stage(folders, folders / "rows.parquet")


def run_stage(folder, out):
    main("squad", "parallel", folder / "model", folder / "test.jsonl", out, params=folder / "params.yaml")


def write_params(path, **changes):
    sections = {"squad": SHIPPED["squad"], "decode": {"max_new_tokens": 4, "max_groups": 2}}
    params = RUN | GEOMETRY | changes | sections
    path.write_text(yaml.safe_dump(params), encoding="utf-8")


@torch.inference_mode()
def log_likelihood(model, head, tail):
    """Nats that a stock model gives TAIL after HEAD."""
    logits = model(torch.tensor([head + tail])).logits[0, len(head) - 1 : -1]  # [L, V]
    return float(logits.log_softmax(dim=-1)[range(len(tail)), tail].sum())
