"""What must be true of a column is read from its description."""

from warehouse.quality.rules import column_rules
from warehouse.schemas.tables import BY_NAME


def test_rules_come_from_names_types_and_descriptions():
    rules = {rule.column: rule for rule in column_rules(BY_NAME["dim_file"])}
    assert rules["size_bytes"].minimum == 0
    assert not rules["sha256"].is_required
    assert rules["key"].is_required
    assert rules["media"].values is not None
    assert "spreadsheet" in rules["media"].values
    actions = {rule.column: rule for rule in column_rules(BY_NAME["fact_operation"])}["action"]
    assert actions.values is not None
    assert {"move", "trash", "remove"} <= actions.values
