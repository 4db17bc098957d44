"""What a mapping may say of untidy exports: varying names, title lines, sums, marks in numbers."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.sources.test_files_library import by_table
from trueline.errors import ConfigurationError, PermanentError
from trueline.sources.files.mapping import load_mapping

DEALS = """
kind: crm_deals
format: csv
constants: {crm: paper}
fields:
  deal_id: [Deal, Vorgang]
  crm_record_id: {column: [Person, Persons], first_of: ";"}
  deal_amount: {column: "Value ({currency_code})", required: false}
  is_closed: {column: closed, required: false}
  deal_closed_at: {column: [closed on], required: false}
"""


def values_of(folder: Any, text: str, mapping: str = DEALS) -> list[dict[str, Any]]:
    folder.mapping(mapping)
    folder.file("f.csv", text)
    (read,) = by_table(folder.pull("f.csv")).values()
    assert not read.errors
    return read.values


def test_the_first_name_that_the_file_has_is_read(folder) -> None:
    (row,) = values_of(folder, "vorgang,Persons\nd1, 8001 ;8002\n")
    assert (row["deal_id"], row["crm_record_id"]) == ("d1", "8001")
    (row,) = values_of(folder, "Vorgang,deal,Person\nold,new,8001\n")
    assert row["deal_id"] == "new"


def test_a_missing_column_is_told_by_all_its_names(folder) -> None:
    folder.mapping(DEALS)
    folder.file("f.csv", "id,Person\nd1,1\n")
    with pytest.raises(PermanentError, match=r"'Deal' or 'Vorgang' \(for deal_id\) is missing"):
        folder.pull("f.csv")


def test_the_currency_may_stand_in_the_name_of_the_column(folder) -> None:
    (row,) = values_of(folder, "Deal,Person,value (chf)\nd1,1,5\n")
    assert (row["deal_amount"], row["currency_code"]) == (Decimal(5), "CHF")
    (row,) = values_of(folder, "Deal,Person,Value\nd1,1,5\n")
    assert row.get("currency_code") is None


def test_the_close_date_of_an_open_deal_is_not_taken(folder) -> None:
    text = "Deal,Person,closed,closed on\nd1,1,{},2026-10-01T08:00:00Z\n"
    (still_open,) = values_of(folder, text.format("no"))
    (closed,) = values_of(folder, text.format("yes"))
    assert still_open["deal_closed_at"] is None
    assert closed["deal_closed_at"].day == 1


def test_a_fixed_click_id_type_is_that_of_the_ids_alone(folder) -> None:
    mapping = (
        "kind: crm_leads\nformat: csv\nconstants: {crm: paper, click_id_type: gclid}\n"
        "fields: {crm_record_id: id, crm_created_at: at, click_id: g, page_url: url}\n"
    )
    rows = values_of(
        folder,
        "id,at,g,url\n1,2026-10-01T08:00:00Z,Cj0KCQjw-abc,\n2,2026-10-01T08:00:00Z,,\n"
        "3,2026-10-01T08:00:00Z,,/x?msclkid=0123456789abcdef0123456789abcdef\n",
        mapping,
    )
    assert [row["click_id_type"] for row in rows] == ["gclid", None, "msclkid"]


SPEND = """
kind: ad_report
format: csv
header_row: find
thousands: ","
number_marks: [$, EUR, "%"]
negative_in_parentheses: true
ignore_rows: {begin_with: ["Total:", ©], empty: [name]}
one_day: {from: to}
constants: {platform: google_ads, claim_basis: click_date}
fields:
  account_id: {column: account, remove: "-[]"}
  campaign_id: campaign
  platform_date: [day, from]
  cost_micros: {column: cost, multiply: 1000000}
"""


def spend(folder: Any, text: str) -> Any:
    folder.mapping(SPEND)
    folder.file("f.csv", text)
    (read,) = by_table(folder.pull("f.csv")).values()
    return read


def test_title_lines_and_sums_are_no_rows(folder) -> None:
    read = spend(
        folder,
        'Report "x"\n\n"October, 2026"\nday,account,campaign,name,cost\n'
        "2026-10-01,[1-2-3],c1,Total: a campaign's name,5\n"
        "total: all,--,,,5\n2026-10-01,1,,,5\n\n© 2026 Platform\n",
    )
    assert not read.errors
    (values,) = read.values
    assert (values["account_id"], values["cost_micros"]) == ("123", 5_000_000)


@pytest.mark.parametrize(
    ("cell", "micros"),
    [
        ("$1,234.50", 1_234_500_000),
        ("-$5", -5_000_000),
        ("$-5", -5_000_000),
        ("(5 EUR)", -5_000_000),
        ("EUR 5", 5_000_000),
        ("5%", 5_000_000),
        ("\u22125", -5_000_000),
        ("7", 7_000_000),
    ],
)
def test_marks_beside_a_number_are_taken_off(folder, cell, micros) -> None:
    read = spend(folder, f'day,account,campaign,cost\n2026-10-01,1,c1,"{cell}"\n')
    assert [values["cost_micros"] for values in read.values] == [micros]


@pytest.mark.parametrize("cell", ["€5", "5$5", "-(5)", "--5", "$", "()", "EUR EUR"])
def test_what_is_no_number_stays_none(folder, cell) -> None:
    read = spend(folder, f'day,account,campaign,cost\n2026-10-01,1,c1,"{cell}"\n')
    assert [error.reason for error in read.errors] == ["bad_number"]


def test_a_row_over_several_days_is_set_aside(folder) -> None:
    read = spend(
        folder,
        "from,to,account,campaign,cost\n2026-10-01,2026-10-01,1,c1,5\n2026-10-01,2026-10-07,1,c2,5\n",
    )
    assert [(error.line, error.column, error.reason) for error in read.errors] == [
        (3, "platform_date", "not_one_day")
    ]
    # The whole period stands beside the day here: the day is what counts.
    read = spend(
        folder, "from,to,day,account,campaign,cost\n2026-10-01,2026-10-07,2026-10-02,1,c1,5\n"
    )
    assert not read.errors


def test_a_header_that_is_nowhere_is_told_with_what_was_taken_for_one(folder) -> None:
    folder.mapping(SPEND)
    folder.file("f.csv", "Title\nday,account,campaign,price\n2026-10-01,1,c1,5\n")
    with pytest.raises(PermanentError, match=r"'cost' \(for cost_micros\).*'price'"):
        folder.pull("f.csv")


def test_a_first_row_that_is_somebodys_data_is_not_told(folder) -> None:
    folder.mapping(DEALS)
    folder.file("f.csv", "Maria Keller,maria.keller@example.com\nJon Berg,jon@example.org\n")
    with pytest.raises(PermanentError, match="None of the mapping's columns") as caught:
        folder.pull("f.csv")
    assert "Keller" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("header_row: find", "header_row: search"), "header_row"),
        (("{begin_with:", "{begins_with:"), "begins_with"),
        (("platform_date: [day, from]", "platform_date: []"), "list of names"),
        (("header_row: find", "extends: google_ads"), "no ready-made mapping 'google_ads'"),
    ],
)
def test_a_wrong_option_is_named(folder, change, told) -> None:
    assert change[0] in SPEND
    folder.mapping(SPEND.replace(*change))
    with pytest.raises(ConfigurationError, match=told):
        load_mapping(folder.path / "mapping.yaml")


def test_a_mapping_that_extends_takes_columns_and_fixed_values_from_each_other(folder) -> None:
    folder.mapping(
        "extends: google_ads_report\nconstants: {account_id: '1', currency_code: EUR}\n"
        "fields: {conversion_action: Action}\n"
    )
    mapping = load_mapping(folder.path / "mapping.yaml")
    assert {"account_id", "currency_code"} <= mapping.constants.keys()
    assert not {"account_id", "currency_code"} & mapping.fields.keys()
    assert "conversion_action" not in mapping.constants
    assert mapping.fields["conversion_action"].column == "Action"
