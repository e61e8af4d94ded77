def test_layout_draws_columns_and_saves_a_picture(pmind, tmp_path):
    picture = tmp_path / "layout.png"
    lengths = ("--prompt", 4, "--prompt", 3, "--prompt", 2, "--answer", 1)
    code, out, _ = pmind("layout", *lengths, "--alignment", "left", "--mask", "--picture", picture)
    assert code == 0
    assert "branch 3   .   .   .   .   .   .   .   .   q   q   .   .   a" in out
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert pmind("layout", "--alignment", "own", "--visibility", "columnar")[0] == 2
    assert pmind("layout", "--picture", tmp_path / "layout.nothing")[0] == 2
