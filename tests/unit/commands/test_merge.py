import pytest

from pmind.models.loading import load_model
from tests.unit.models.adapted import SETTINGS, fixed_batch, logits, trained_adapter, words, write_base


@pytest.fixture(scope="module")
def adapter(tmp_path_factory):
    folder = tmp_path_factory.mktemp("merge")
    trained_adapter(write_base(folder / "base"), folder / "adapter")
    return folder / "adapter"


def test_merge_writes_a_plain_model_and_says_so(pmind, adapter, tmp_path):
    out = tmp_path / "new" / "plain"
    code, printed, err = pmind("merge", adapter, out)
    assert (code, err) == (0, "")
    assert printed.startswith(f"wrote {out}: {adapter} merged into {adapter.parent / 'base'}, float32, ")
    merged, settings = load_model(out)
    assert settings == SETTINGS
    batch = fixed_batch(words())
    assert logits(merged, batch).equal(logits(load_model(adapter)[0], batch))


def test_the_dtype_is_a_choice(pmind, adapter, tmp_path):
    sizes = []
    for dtype in ("float32", "bfloat16"):
        assert pmind("merge", adapter, tmp_path / dtype, "--dtype", dtype)[0] == 0
        sizes.append((tmp_path / dtype / "model.safetensors").stat().st_size)
    assert sizes[1] < 0.6 * sizes[0]


def test_nothing_is_overwritten(pmind, adapter, tmp_path):
    note = tmp_path / "note.txt"
    note.write_text("mine", encoding="utf-8")
    for out in (tmp_path, note, adapter):
        code, printed, err = pmind("merge", adapter, out)
        assert (code, printed, err.count("\n")) == (2, "", 1)
        assert f"{out}: there is something already" in err
    assert list(tmp_path.iterdir()) == [note]
    (tmp_path / "empty").mkdir()
    assert pmind("merge", adapter, tmp_path / "empty")[0] == 0


@pytest.mark.parametrize(("name", "message"), [("base", "a plain model already"), ("gone", "no such folder")])
def test_what_is_no_adapter(pmind, adapter, tmp_path, name, message):
    code, _, err = pmind("merge", adapter.parent / name, tmp_path / "out")
    assert (code, err.count("\n")) == (2, 1)
    assert message in err
    assert not (tmp_path / "out").exists()
