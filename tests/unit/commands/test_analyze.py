import json

import numpy as np


def test_analyze_draws_every_layer_of_one_group(pmind, stories_path, context_file, tmp_path):
    out = tmp_path / "maps"
    asked = ("--question", "She had a", "--question", "One day Lily")
    code, said, err = pmind(
        "analyze", "--model", stories_path, "--context-file", context_file, *asked, "--out", out,
        "--max-new-tokens", 3, "--cells", 30, "--weights",
    )  # fmt: skip
    assert (code, err) == (0, "")
    assert "Q: She had a\nA: " in said
    content = json.loads((out / "attention.json").read_text(encoding="utf-8"))
    layers, maps = len(content["layers"]), content["example"]["maps"]
    assert len(maps) == len(content["heads"]) > layers > 1
    for layer in range(1, layers + 1):
        assert (out / f"layer-{layer}.png").read_bytes().startswith(b"\x89PNG")
        assert (out / f"layer-{layer}.svg").read_text(encoding="utf-8").startswith("<svg")
    with np.load(out / f"weights-layer-{layers}.npz") as saved:
        assert saved["weights"].shape == (len(maps) // layers, *saved["branch"].shape * 2)
        assert np.allclose(saved["weights"].astype(float).sum(-1), 1, atol=0.01)


def test_analyze_refuses_what_it_cannot_read(pmind, stories_path, tmp_path):
    code, _, err = pmind("analyze", "--model", stories_path, "--question", " ", "--out", tmp_path)
    assert (code, "question 1 is empty" in err) == (2, True)
