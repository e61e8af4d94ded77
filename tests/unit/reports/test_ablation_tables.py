import json

from pmind.reports.ablation_tables import compact_sweep, scores, sweep_table
from pmind.reports.metrics import read_metrics
from pmind.reports.origin_tables import ratios, scaling
from pmind.reports.sweeps import read_sweeps
from tests.unit.reports.conftest import RATIO, SINGLE, evaluation, scored, sweep


def only(tmp_path, content):
    (tmp_path / "ablations").mkdir(parents=True)
    (tmp_path / "ablations" / "a.json").write_text(json.dumps(content))
    return read_sweeps(tmp_path)[0]


def test_a_sweep_has_losses_taxes_scores_and_seeds(metrics_folder):
    table = sweep_table(read_metrics(metrics_folder).sweep("ratio"))
    titles = ("squad parallel: exact match, %", "squad sequential: exact match, %")
    assert table.header == ("rope_2d_ratio", *_losses(1, 4, 16), "Tax at 4", "Tax at 16", *titles, "Seeds")
    rows = {row[0]: row[1:] for row in table.rows}
    assert rows["`0.25`"] == (
        *("1.1025 ± 0.2484", "1.1100 ± 0.2484", "1.1400 ± 0.2484", "−0.0900", "−0.0600"),
        *("92.0 ± 2.5", "96.0 ± 2.5", "3"),
    )
    assert table.gap == ""
    assert table.notes[0].startswith("Means of 3 seeds ± half of the 95\xa0% t-interval. Tax: loss at")
    assert table.notes[1] == "Preset cpu, model tiny, steps 200, seeds 3; `metrics/ablations/ratio.json`."


def test_the_readme_s_table_has_few_columns(metrics_folder):
    table = compact_sweep(read_metrics(metrics_folder).sweep("ratio"))
    assert table.header == ("rope_2d_ratio", *_losses(1, 16), "Tax at 16", "squad parallel: exact match, %", "Seeds")


def test_a_grid_begins_with_the_lowest_tax(metrics_folder):
    table = sweep_table(read_metrics(metrics_folder).sweep("grid"))
    assert [row[0] for row in table.rows][:2] == ["`0.25 low 1`", "`0.25 low 16`"]
    assert table.rows[-1][0] == "`single branch`"
    assert table.header[0] == "Setting"
    assert "best first" in table.caption


def test_training_branches_are_shown_at_every_number_of_branches(tmp_path):
    cells = [SINGLE, ("2", {"pretrain.max_branches": 2}, 0.01, False)]
    table = sweep_table(only(tmp_path, sweep("branches", cells)))
    assert table.header[1:6] == _losses(1, 2, 4, 8, 16)


def test_shared_losses_are_left_out(tmp_path):
    cells = [(f"rank {rank}", {"lora.rank": rank}, 0.1, False) for rank in (4, 8)]
    table = sweep_table(only(tmp_path, scored(sweep("rank", cells))))
    assert not [title for title in table.header if title.startswith(("Loss", "Tax"))]
    assert "fine-tuned from one pretrained model" in table.notes[0]


def test_one_seed_has_no_interval_and_no_baseline_no_tax(tmp_path):
    found = only(tmp_path, sweep("ratio", RATIO, seeds=(1,)))
    table = sweep_table(found)
    assert table.header == ("rope_2d_ratio", *_losses(1, 4, 16), "Seeds")
    assert table.rows[1] == ("`0.25`", "1.0025", "1.0100", "1.0400", "1")
    assert len(table.notes) == 1
    assert scores(found) == {}


def test_table_2_has_loss_before_and_scores_after_fine_tuning(metrics_folder):
    table = ratios(read_metrics(metrics_folder))
    assert table.header == ("Training", "rope_2d_ratio", "Nats per token", "squad parallel: exact match, %")
    assert table.rows[1] == ("Pre-trained `tiny`", "0.25", "1.1100 ± 0.2484", "")
    assert table.rows[4] == ("Fine-tuned `tiny` on `squad`", "0.25", "0.0500", "92.0 ± 2.5")
    assert len(table.rows) == 6
    assert table.gap == ""


def test_table_2_names_what_fills_it(metrics_folder):
    path = metrics_folder / "ablations" / "ratio.json"
    path.write_text(json.dumps(sweep("ratio", RATIO)))
    table = ratios(read_metrics(metrics_folder))
    assert table.rows[-1] == ("Fine-tuned `tiny`", "0.5", "—")
    assert "run `make ablations`" in table.gap
    path.unlink()
    assert ratios(read_metrics(metrics_folder)).gap == "Nothing here yet: run `make ablations`."


def test_table_3_joins_throughput_loss_and_scores(metrics_folder):
    run = evaluation("race", {"accuracy": 0.5}, model="tuned", visibility="columnar", own_prompts=True)
    (metrics_folder / "evaluations" / "tuned.json").write_text(json.dumps(run))
    worse = evaluation("squad", {"em": 0.1}, model="tuned", visibility="columnar", own_prompts=True)
    (metrics_folder / "evaluations" / "worse.json").write_text(json.dumps(worse))
    table = scaling(read_metrics(metrics_folder))
    rows = {row[:2]: row[2:] for row in table.rows}
    assert rows["Pre-trained minimind-26m on some text", "16"] == ("4,800", "16.0 ×", "2.5600", "")
    assert rows["Pre-trained `tiny`", "16"] == ("", "", "1.4160", "")
    assert rows["Fine-tuned `tuned` on `race`", "1"] == ("96.0", "1.00 ×", "", "50.0 (40.0–60.0)")
    assert rows["Fine-tuned `tuned` on `race`", "8"] == ("576", "6.00 ×", "", "50.0 (40.0–60.0)")
    assert not [training for training, _ in rows if "squad" in training or "random" in training]
    assert any("Score of `tuned`: accuracy." in note for note in table.notes)


def test_table_3_times_random_weights_where_no_model_has_that_shape(metrics_folder):
    (metrics_folder / "models" / "minimind-26m.json").unlink()
    rows = {row[:2]: row[2:] for row in scaling(read_metrics(metrics_folder)).rows}
    assert rows["`minimind-26m`, random weights", "2"] == ("600", "2.00 ×", "", "")


def _losses(*counts):
    return tuple(f"Loss at {count}" for count in counts)
