"""A prompt template cut from a chat template gives the tokens that the chat template itself gives."""

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from pmind.decoding.decoder import ParallelDecoder
from pmind.errors import DataError, ModelError
from pmind.models.loading import opening_ids
from pmind.models.settings import Settings, load_settings, save_settings
from pmind.tasks.chat import BETWEEN, FIXED, chat_template, chat_template_for
from pmind.tasks.prompts import PromptTemplate
from pmind.tasks.records import Question, QuestionGroup
from tests.tiny import wired_model

CHATML = (  # Qwen3's, without tools
    "{% if messages[0].role != 'system' %}<|im_start|>system\nYou are {helpful}.<|im_end|>\n{% endif %}"
    "{% for message in messages %}<|im_start|>{{ message.role }}\n"
    "{% if message.role == 'assistant' and loop.last %}<think>\n\n</think>\n\n{% endif %}"
    "{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n{% endif %}{% endif %}"
)
LLAMA3 = (
    "{{ bos_token }}<|start_header_id|>system<|end_header_id|>\n\n"
    "Today Date: {{ date_string if date_string is defined else strftime_now('%d %b %Y') }}\n\n<|eot_id|>"
    "{% for message in messages %}<|start_header_id|>{{ message.role }}<|end_header_id|>\n\n"
    "{{ message.content | trim }}<|eot_id|>{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)
MISTRAL = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message.role == 'user' %}[INST] {{ message.content }} [/INST]{% else %} {{ message.content }}{{ eos_token }}"
    "{% endif %}{% endfor %}"
)
QWEN_TOKENS = ["<|im_end|>", "<|im_start|>", "<|endoftext|>"]
LLAMA_TOKENS = ["<|eot_id|>", "<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>"]
TEXTS = ["You are helpful. The passage says: who lives here? Orin.\n\nuser assistant system Today Date INST"]
CONTEXT, QUESTION = "Orin lives here {alone}.", "Who lives here?"


def chat_tokenizer(template: str | None, special: list[str], bos: str | None = None) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer; the first special token is its eos, BOS is put before every text."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    bpe.train_from_iterator(
        TEXTS, trainers.BpeTrainer(vocab_size=400, special_tokens=special, initial_alphabet=alphabet)
    )
    if bos:
        bpe.post_processor = processors.TemplateProcessing(
            single=f"{bos} $A", special_tokens=[(bos, bpe.token_to_id(bos))]
        )
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bpe, eos_token=special[0], bos_token=bos)
    tokenizer.chat_template = template
    return tokenizer


TOKENIZERS = {
    "qwen": chat_tokenizer(CHATML, QWEN_TOKENS),
    "llama3": chat_tokenizer(LLAMA3, LLAMA_TOKENS, "<|begin_of_text|>"),
    "mistral": chat_tokenizer(MISTRAL, ["</s>", "<s>"], "<s>"),
}


def group(context: str = CONTEXT, own: str = "") -> QuestionGroup:
    return QuestionGroup("g", "d", context, (Question("1", QUESTION, ("Orin",), context=own),))


def our_ids(tokenizer, template: PromptTemplate, asked: QuestionGroup, answered: bool) -> list[int]:
    """What a branch reads: opening and context, then prompt, then the answer with the stop token."""
    (question,) = asked.questions
    texts = [template.render_context(asked), template.render_prompt(question)]
    ids = list(opening_ids(tokenizer))
    for text in [*texts, template.render_answer(question)] if answered else texts:
        ids += tokenizer(text, add_special_tokens=False)["input_ids"]
    return [*ids, tokenizer.eos_token_id] if answered else ids


def chat_ids(tokenizer, said: str, answered: bool) -> list[int]:
    """What transformers gives for the same question, with what follows the answer's stop token left out."""
    turns = [{"role": "user", "content": said}]
    if answered:
        turns.append({"role": "assistant", "content": "Orin"})
    ids = tokenizer.apply_chat_template(turns, add_generation_prompt=not answered, return_dict=False, **FIXED)
    last_stop = len(ids) - ids[::-1].index(tokenizer.eos_token_id) if answered else None
    return ids[:last_stop]


@pytest.mark.parametrize("answered", [False, True])
@pytest.mark.parametrize("name", TOKENIZERS)
def test_one_question_reads_as_the_chat_template_has_it(name, answered):
    tokenizer = TOKENIZERS[name]
    expected = chat_ids(tokenizer, f"{CONTEXT}{BETWEEN}{QUESTION}", answered)
    assert our_ids(tokenizer, chat_template(tokenizer), group(), answered) == expected


@pytest.mark.parametrize("name", TOKENIZERS)
def test_questions_with_their_own_passage_and_without_any(name):
    tokenizer = TOKENIZERS[name]
    own, alone = group("", CONTEXT), group("")
    said = f"{CONTEXT}{BETWEEN}{QUESTION}"
    assert our_ids(tokenizer, chat_template_for(tokenizer, [own]), own, False) == chat_ids(tokenizer, said, False)
    assert our_ids(tokenizer, chat_template_for(tokenizer, [alone]), alone, False) == chat_ids(
        tokenizer, QUESTION, False
    )


def test_groups_with_and_without_a_passage_do_not_mix():
    with pytest.raises(DataError, match="1 of 2 groups have a passage"):
        chat_template_for(TOKENIZERS["qwen"], [group(), group("")])


def test_the_opening_token_comes_once():
    tokenizer = TOKENIZERS["llama3"]
    ids = our_ids(tokenizer, chat_template(tokenizer), group(), False)
    assert ids.count(tokenizer.bos_token_id) == 1
    assert ids[0] == tokenizer.bos_token_id


def test_the_template_does_not_change_with_the_day():
    assert "Today Date: 26 Jul 2024" in chat_template(TOKENIZERS["llama3"]).context


def test_the_passage_is_in_the_part_that_all_branches_share():
    template = chat_template(TOKENIZERS["qwen"])
    assert template.context.endswith("<|im_start|>user\n{context}\n\n")
    assert "You are {{helpful}}." in template.context
    assert template.prompt == "{question}<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
    assert template.answer == "{answer}"
    assert chat_template(TOKENIZERS["mistral"]).answer == " {answer}"


def test_decoding_repeats_a_saved_template(tmp_path):
    tokenizer = TOKENIZERS["qwen"]
    template = chat_template(tokenizer)
    save_settings(tmp_path, Settings(prompt_template=vars(template)))
    settings = load_settings(tmp_path)
    decoder = ParallelDecoder(wired_model("llama", settings, vocab_size=len(tokenizer)), tokenizer, settings)
    again = PromptTemplate(**decoder.settings.prompt_template)
    request = decoder.encode_group(again.render_context(group()), [again.render_prompt(group().questions[0])])
    assert [*request.context, *request.prompts[0]] == chat_ids(tokenizer, f"{CONTEXT}{BETWEEN}{QUESTION}", False)


@pytest.mark.parametrize(
    "template, message",
    [
        (None, "has no chat template. Take a chat model"),
        ("{{ raise_exception('only tools') }}", "fails on one question and its answer .only tools."),
        ("{{ messages[0].content }}{{ messages[0].content }}<|im_end|>", "gives what is said 2 times"),
        (
            "{% for turn in messages %}{{ turn.content }}<|endoftext|>{% endfor %}",
            "'<|endoftext|>', but .*'<|im_end|>'",
        ),
        ("{% for turn in messages %}{{ turn.content }}{% endfor %}", "ends an answer with '', but"),
    ],
)
def test_templates_that_cannot_serve(template, message):
    with pytest.raises(ModelError, match=message.replace("|", r"\|")):
        chat_template(chat_tokenizer(template, QWEN_TOKENS))
