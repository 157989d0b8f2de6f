"""The warehouse's views are those of the files, and only what changed is made again."""

from pathlib import Path

import pytest

from data_platform.settings import sql_folder
from data_platform.warehouse.connection import Warehouse
from data_platform.warehouse.views import ViewError, refresh


def written(folder: Path, statement: str) -> Path:
    (folder / "answers.sql").write_text(statement)
    return folder


def test_the_views_of_the_house_are_made_once(warehouse: Warehouse) -> None:
    folder = sql_folder() / "views"
    assert len(refresh(warehouse.url, folder)) == len(list(folder.glob("*.sql")))
    assert refresh(warehouse.url, folder) == []


def test_a_changed_file_makes_its_view_again_with_other_columns(warehouse: Warehouse, tmp_path: Path) -> None:
    refresh(warehouse.url, written(tmp_path, "CREATE VIEW ops.answers AS\nSELECT 1 AS one"))
    assert refresh(warehouse.url, written(tmp_path, "CREATE VIEW ops.answers AS\nSELECT 'x' AS two")) == ["ops.answers"]
    with warehouse.transaction() as transaction:
        assert transaction.query("SELECT two FROM ops.answers").rows() == [("x",)]


@pytest.mark.parametrize("statement", ["SELECT 1", "CREATE VIEW ops.answers AS\nSELECT nothing FROM nowhere"])
def test_a_file_that_is_no_view_is_named_and_changes_nothing(
    warehouse: Warehouse, tmp_path: Path, statement: str
) -> None:
    refresh(warehouse.url, written(tmp_path, "CREATE VIEW ops.answers AS\nSELECT 1 AS one"))
    with pytest.raises(ViewError, match=r"^answers\.sql"):
        refresh(warehouse.url, written(tmp_path, statement))
    with warehouse.transaction() as transaction:
        assert transaction.query("SELECT one FROM ops.answers").rows() == [(1,)]
