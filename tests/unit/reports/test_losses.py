import math

from pmind.reports.figures import position_loss_figure
from pmind.reports.losses import Positions, by_branches, by_positions
from pmind.reports.metrics import Metrics, read_metrics
from pmind.reports.quality_tables import position_loss


def test_branches_are_in_order_and_other_keys_are_left_out():
    flat = {"loss.branches_16": 2.0, "loss.branches_4": 1.0, "loss.branches_8": math.nan, "loss.tax_16": 1.0}
    flat |= {"perplexity.branches_4": 2.7, "loss.positions_0_7.branches_4": 3.0}
    assert by_branches(flat) == {4: 1.0, 16: 2.0}
    assert list(by_branches(flat)) == [4, 16]


def test_positions_are_in_order():
    flat = {"loss.positions_8_31.branches_1": 1.0, "loss.positions_0_7.branches_4": 2.0}
    flat |= {"loss.positions_0_7.branches_1": 1.5}
    assert list(by_positions(flat)) == [Positions(0, 7), Positions(8, 31)]
    assert by_positions(flat)[Positions(0, 7)] == {1: 1.5, 4: 2.0}
    assert (str(Positions(0, 7)), str(Positions(3, 3))) == ("0–7", "3")


def test_loss_by_position_has_a_table_and_a_figure(metrics_folder):
    metrics = read_metrics(metrics_folder)
    (table,) = position_loss(metrics)
    assert table.header == ("Position", "1 branch", *(f"{count} branches" for count in (2, 4, 8, 16)))
    assert table.rows[0] == ("0–7", "1.9010", "1.9020", "1.9040", "1.9080", "1.9160")
    assert "8–31" in position_loss_figure(metrics)


def test_old_runs_have_no_loss_by_position(metrics_folder):
    old = read_metrics(metrics_folder / "experiments" / "ratio-0")
    assert list(old.losses()) == [1, 2, 4, 8, 16]
    for metrics in (old, Metrics({})):
        assert position_loss(metrics) == ()
        assert position_loss_figure(metrics) is None
