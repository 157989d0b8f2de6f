"""Contracts are the only description of a table: migrations and the UI agree with them."""

import dataframely as dy
import pytest
from sqlalchemy.dialects import postgresql

from data_platform import contracts
from data_platform.contracts.contract import Contract
from data_platform.defs.describe import column_schema
from data_platform.warehouse.connection import Warehouse

STORED = [contract for contract in contracts.every() if contract.kept_in == "warehouse"]
# Every text is `text`: a length limit is the contract's to check, and costs nothing to lift.
_TEXT = ("VARCHAR", "CHAR", "TEXT")
_POSTGRES_SAYS = {"float": "double precision"}
# What the books add beside the columns that a product's function gives.
_ADDED = {
    "ops.rejects": {"publication_id", "table_name", "rule_version"},
    "ops.tallies": {"publication_id", "table_name"},
}


def contract_types(contract: Contract) -> dict[str, tuple[str, bool]]:
    columns = contract.rows.to_sqlalchemy_columns(postgresql.dialect())
    types = {column.name: column.type.compile(postgresql.dialect()) for column in columns}
    named = {name: "text" if type_.startswith(_TEXT) else type_.lower() for name, type_ in types.items()}
    named = {name: _POSTGRES_SAYS.get(type_, type_) for name, type_ in named.items()}
    metadata = {name: column.metadata or {} for name, column in contract.rows.columns().items()}
    named |= {name: str(facts["stored_as"]) for name, facts in metadata.items() if "stored_as" in facts}
    return {column.name: (named[column.name], bool(column.nullable)) for column in columns}


@pytest.mark.parametrize("contract", STORED, ids=lambda contract: contract.table)
def test_a_migrated_table_has_the_columns_and_types_of_its_contract(contract: Contract, warehouse: Warehouse) -> None:
    with warehouse.transaction() as transaction:
        found = transaction.query(
            "SELECT column_name::text, data_type::text, is_nullable::text FROM information_schema.columns"
            " WHERE table_schema = $1 AND table_name = $2",
            contract.schema,
            contract.name,
        )
    migrated = {name: (type_, nullable == "YES") for name, type_, nullable in found.iter_rows()}
    for added in _ADDED.get(contract.table, set()):
        del migrated[added]
    assert migrated == contract_types(contract)


@pytest.mark.parametrize("contract", STORED, ids=lambda contract: contract.table)
def test_a_migrated_table_has_the_primary_key_of_its_contract(contract: Contract, warehouse: Warehouse) -> None:
    with warehouse.transaction() as transaction:
        found = transaction.query(
            "SELECT a.attname::text FROM pg_index i"
            " JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)"
            " WHERE i.indrelid = $1::regclass AND i.indisprimary",
            contract.table,
        )
    assert set(found.get_column("attname")) == set(contract.rows.primary_key())


def test_every_table_of_the_warehouse_has_a_contract(warehouse: Warehouse) -> None:
    with warehouse.transaction() as transaction:
        found = transaction.query(
            "SELECT schemaname || '.' || tablename AS name FROM pg_tables"
            " WHERE schemaname NOT IN ('pg_catalog', 'information_schema') AND tablename <> 'migrations'"
        )
    assert set(found["name"]) == {contract.table for contract in STORED}


@pytest.mark.parametrize("contract", contracts.every(), ids=lambda contract: contract.table)
def test_every_column_and_every_table_is_described(contract: Contract) -> None:
    assert contract.description
    for name, column in contract.rows.columns().items():
        assert column.description, f"{contract.table}.{name} has no description"


@pytest.mark.parametrize("contract", contracts.every(), ids=lambda contract: contract.table)
def test_the_ui_shows_the_columns_of_the_contract(contract: Contract) -> None:
    shown = column_schema(contract)
    assert [column.name for column in shown.columns] == list(contract.columns)
    assert all(column.description for column in shown.columns)


@pytest.mark.parametrize("contract", contracts.every(), ids=lambda contract: contract.table)
def test_a_contract_can_make_rows_that_keep_it(contract: Contract) -> None:
    """A rule that no row could keep would be a mistake in the contract."""
    column = contract.rows.columns()
    assert all(isinstance(c, dy.Column) for c in column.values())
    assert contract.rows.is_valid(contract.empty())


def test_names_follow_the_house() -> None:
    for contract in contracts.every():
        for name, column in contract.rows.columns().items():
            if isinstance(column, dy.Datetime):
                assert name.endswith("_at"), f"{contract.table}.{name}"
                assert str(column.dtype) == "Datetime(time_unit='us', time_zone='UTC')"
            if name.startswith("num_"):
                assert isinstance(column, dy.Int64), f"{contract.table}.{name}"
