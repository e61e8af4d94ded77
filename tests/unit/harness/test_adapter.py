from pmind.models.loading import load_tokenizer
from pmind.models.merging import write_plain
from pmind.training.start import save_trained
from tests.unit.harness.test_model import STORY, requests
from tests.unit.models.adapted import SETTINGS, adapter_of, fixed_batch, train_steps


def test_an_adapter_is_scored_like_its_merged_model(lm_eval, stories_path, tmp_path):
    from pmind.harness.model import PmindLM

    model, tokenizer = adapter_of(stories_path), load_tokenizer(stories_path)
    train_steps(model, fixed_batch(tokenizer))
    save_trained(tmp_path / "adapter", model, tokenizer, SETTINGS)
    write_plain(tmp_path / "adapter", tmp_path / "plain", "float32")
    asked = requests("loglikelihood", (STORY, " She"), (STORY, " The dog ran."))
    scored = []
    for folder in (tmp_path / "adapter", tmp_path / "plain"):
        harness = PmindLM(str(folder), device="cpu", dtype="float32")
        assert harness.settings == SETTINGS
        scored.append(harness.loglikelihood(asked, disable_tqdm=True))
    assert scored[0] == scored[1]
    assert scored[0][0] != scored[0][1]
