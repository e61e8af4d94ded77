import copy

import pytest
import torch
import yaml
from transformers import LlamaConfig

from pmind.corpora.tokenizer import train_tokenizer
from pmind.decoding.decoder import ParallelDecoder
from pmind.errors import DecodingError, ModelError, SettingsError
from pmind.evaluation.answering import answer_questions
from pmind.evaluation.rows import read_rows
from pmind.methods import METHODS
from pmind.models.settings import STOCK, Settings, save_settings
from pmind.models.wiring import wire
from pmind.tasks.prompts import PromptTemplate
from pmind.tasks.records import Question, QuestionGroup, write_groups
from stages.decode import main
from tests.tiny import SHAPE, build_word_tokenizer, random_model

GROUPS = [
    QuestionGroup(
        "g1",
        "Torvale",
        "Orin of Torvale paints doors. Mara bakes.",
        (
            Question("q1", "Who paints?", ("Orin", "Orin of Torvale")),
            Question("q2", "Who bakes?", ("Mara",), ("Orin", "Orin of Torvale", "Mara"), 2),
            Question("q3", "What does Orin paint?", ("doors",), ("doors", "bread"), 0),
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


def answer(decoder, method="parallel", groups=GROUPS, **changes):
    return answer_questions(decoder, method, groups, **{"max_new_tokens": 5, "branches": 2, "max_groups": 2} | changes)


@pytest.mark.parametrize("method", METHODS)
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
    assert [row.correct for row in rows] == [None, 2, 0, None]
    assert [len(row.option_scores) for row in rows] == [0, 3, 2, 0]


@pytest.mark.parametrize("method", ["sequential", "batch"])
def test_a_lossless_model_answers_and_scores_alike_with_every_method(make_decoder, method):
    decoder = make_decoder()
    for ours, theirs in zip(answer(decoder), answer(decoder, method), strict=True):
        assert (ours.text, ours.token_ids, ours.finish_reason) == (theirs.text, theirs.token_ids, theirs.finish_reason)
        assert ours.option_scores == pytest.approx(theirs.option_scores, abs=1e-4)


@pytest.mark.parametrize("method", METHODS)
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


def test_the_checkpoints_own_template_is_used(make_decoder):
    decoder = make_decoder(Settings(prompt_template=TEMPLATE))
    expected = decoder.generate("Read: 患者服用阿司匹林。\n", ["服用什么？ Say:"], max_new_tokens=5)
    assert answer(decoder)[3].token_ids == expected[0].token_ids
    assert answer(decoder)[3].token_ids != answer(make_decoder())[3].token_ids


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
    for out in ("first.jsonl", "second.jsonl"):
        run_stage(folders, out)
    rows = read_rows(folders / "first.jsonl")
    assert [row.question_id for row in rows] == ["q1", "q2", "q3", "q4"]
    assert (folders / "first.jsonl").read_bytes() == (folders / "second.jsonl").read_bytes()


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
        run_stage(folders, "rows.jsonl")


def run_stage(folder, out):
    main("squad", "parallel", folder / "model", folder / "test.jsonl", folder / out, params=folder / "params.yaml")


def write_params(path, **changes):
    params = RUN | GEOMETRY | changes | {"decode": {"max_new_tokens": 4, "max_groups": 2}}
    path.write_text(yaml.safe_dump(params), encoding="utf-8")


@torch.inference_mode()
def log_likelihood(model, head, tail):
    """Nats that a stock model gives TAIL after HEAD."""
    logits = model(torch.tensor([head + tail])).logits[0, len(head) - 1 : -1]  # [L, V]
    return float(logits.log_softmax(dim=-1)[range(len(tail)), tail].sum())
