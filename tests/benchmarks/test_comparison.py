"""The figures of a run become a table for each contender that this checkout is compared with."""

from benchmarks.comparison import AGAIN, HERE, Comparison


def test_each_other_contender_has_a_table_of_ratios_within_the_rounds() -> None:
    comparison = Comparison({}, {}, ["plain", "ab3eaa2"])
    for contender, rates in ((HERE, (60, 90)), ("plain", (100, 100)), ("ab3eaa2", (120, 100)), (AGAIN, (60, 100))):
        for round_, rate in enumerate(rates):
            comparison.add("lookups: req/s", contender, round_, rate)
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in comparison.table()]
    assert [line for line in lines if not line or line[0] == "lookups: req/s"] == [
        ["lookups: req/s", "75", "100", "0.750 (0.600-0.900)", "0.950 (0.900-1.000)", "no"],
        [],
        ["lookups: req/s", "75", "110", "0.700 (0.500-0.900)", "0.950 (0.900-1.000)", "no"],
    ]


def test_what_cannot_be_measured_is_left_out() -> None:
    comparison = Comparison({}, {}, ["plain"])
    comparison.add("creates: req/s", HERE, 0, 10)
    comparison.add("creates: req/s", "plain", 0, None)
    (cells,) = [line.split("|")[1:-1] for line in comparison.table() if "creates" in line]
    assert [cell.strip() for cell in cells] == ["creates: req/s", "10", "", "", "", ""]
