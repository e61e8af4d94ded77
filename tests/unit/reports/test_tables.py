from pmind.reports.load_tables import load
from pmind.reports.metrics import Metrics, read_kept, read_metrics
from pmind.reports.quality_tables import comparison, loss, other_scores, quality
from pmind.reports.speed_tables import roofline, throughput, timing
from pmind.reports.tables import differing_settings, listing, sources


def test_quality_has_methods_difference_swap_and_chance(metrics_folder):
    table = quality(read_metrics(metrics_folder), "squad")
    assert table.header == ("Method", "Exact match, %", "F1, %")
    assert table.rows[0] == ("parallel", "97.4 (96.4–98.4)", "97.4 (96.4–98.4)")
    methods, pairs = ["parallel", "sequential", "batch", "base"], ["parallel − sequential", "parallel − base"]
    assert [row[0] for row in table.rows] == [*methods, *pairs, "swapped passages", "blind guess"]
    assert [row[1] for row in table.rows[4:6]] == ["−0.1 (−1.1…+0.9)", "+60.0 (+59.0…+61.0)"]
    assert table.rows[-1] == ("blind guess", "25.0", "")
    assert table.notes == ("`base` is the model before fine-tuning, asked one question at a time.",)
    assert table.gap == ""
    assert "612 questions in 120 groups" in table.caption


def test_accuracy_appears_where_there_are_options(metrics_folder):
    table = quality(read_metrics(metrics_folder), "cmb")
    assert table.header[-1] == "Accuracy, %"
    assert "(500 with options)" in table.caption


def test_a_missing_number_says_what_fills_it(metrics_folder):
    files = dict(read_metrics(metrics_folder).files)
    files["quality"] = {key: value for key, value in files["quality"].items() if "swapped" not in key}
    table = quality(Metrics(files), "squad")
    assert table.rows[-2] == ("swapped passages", "—", "—")
    assert "dvc repro evaluate" in table.gap


def test_the_untuned_model_has_a_row_even_before_it_was_asked(metrics_folder):
    files = dict(read_metrics(metrics_folder).files)
    files["quality"] = {key: value for key, value in files["quality"].items() if "base" not in key}
    rows = {row[0]: row[1:] for row in quality(Metrics(files), "squad").rows}
    assert rows["base"] == rows["parallel − base"] == ("—", "—")
    (other,) = other_scores(Metrics(files), "squad")
    assert [row[0] for row in other.rows] == ["parallel", "sequential", "batch", "parallel − sequential"]


def test_other_scores_have_a_table_of_their_own(metrics_folder):
    metrics = read_metrics(metrics_folder)
    (table,) = other_scores(metrics, "cmb")
    assert table.header == ("Method", "BLEU-4, %", "BLEU-4 of the corpus, %", "ROUGE-L, %")
    assert table.rows[3] == ("base", "97.4 (96.4–98.4)", "50.0", "97.4 (96.4–98.4)")
    assert table.rows[5] == ("parallel − base", "+60.0 (+59.0…+61.0)", "", "+60.0 (+59.0…+61.0)")
    assert table.gap == ""
    assert other_scores(metrics, "squad")[0].header == ("Method", "Lenient match, %")
    assert other_scores(Metrics({}), "squad") == ()


def test_where_no_passage_has_another_there_is_no_swap(metrics_folder):
    files = dict(read_metrics(metrics_folder).files)
    files["quality"] = {key: value for key, value in files["quality"].items() if "swapped" not in key}
    files["quality"] |= {f"{dataset}.parallel.n_swapped_context": 0 for dataset in ("squad", "cmb")}
    table = quality(Metrics(files), "squad")
    assert "swapped passages" not in [row[0] for row in table.rows]
    assert table.gap == ""


def test_missing_files_say_what_fills_them():
    nothing = Metrics({})
    speed = (throughput(nothing), roofline(nothing), timing(nothing), load(nothing))
    for table in (quality(nothing, "squad"), *speed, loss(nothing), comparison(nothing, {})):
        assert table.rows == ()
        assert "`dvc " in table.gap
    assert listing("Training", nothing, "finetune_cmb").gap == "Nothing here yet: run `dvc repro finetune@cmb`."


def test_loss_is_compared_with_one_branch(metrics_folder):
    assert loss(read_metrics(metrics_folder)).rows[-1] == ("16", "1.4160", "+0.0150", "4.121")


def test_comparison_shows_by_how_much(metrics_folder):
    table = comparison(read_metrics(metrics_folder), read_kept(metrics_folder))
    ours, theirs = (dict(zip(table.header, row, strict=True)) for row in table.rows)
    assert (ours["Run"], theirs["Run"]) == ("this run", "`ratio-0`")
    assert ours["squad exact match, %"] == "97.4"
    assert theirs["squad exact match, %"] == "40.0 (−57.4)"
    assert theirs["Loss at 16"] == "3.0000 (+1.5840)"


def test_differing_settings_are_listed(metrics_folder):
    table = differing_settings(read_metrics(metrics_folder), read_kept(metrics_folder))
    assert table.rows == (("`rope_2d_ratio`", "0.25", "0"),)


def test_sources_name_what_was_kept_by_hand(metrics_folder):
    rows = {row[0]: row for row in sources(read_metrics(metrics_folder)).rows}
    assert rows["`metrics/load.json`"][1:] == ("benchmark", "`dvc repro benchmark`", "yes")
    assert "--out metrics/engines/one.json" in rows["`metrics/engines/one.json`"][2]
    assert "`metrics/gpu/one.json`" in rows
    assert rows["`metrics/evaluations/squad.json`"][2] == (
        "`pmind evaluate squad --model … --keep metrics/evaluations/squad.json`"
    )
