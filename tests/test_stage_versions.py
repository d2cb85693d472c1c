from tests import stage_versions


def test_no_stage_changed_what_it_computes_under_its_old_version() -> None:
    changed = stage_versions.silent_changes()
    assert changed == [], (
        f"the code of {changed} changed: raise `version` in its @stage if its results change, "
        "then accept with `python -m tests.stage_versions --write`"
    )
