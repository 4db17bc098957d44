"""Hostile and dirty files, each as it was met in practice, and what becomes of it."""

from __future__ import annotations

import gzip
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

LEADS = """
kind: crm_leads
format: csv
constants: {crm: paper}
fields:
  crm_record_id: Id
  crm_created_at: Created
  email: {column: Mail, required: false}
  phone: {column: Phone, required: false}
  click_id: {column: Click, required: false}
  lead_score: {column: Score, required: false}
  is_test: {column: Test, required: false}
  segment: {column: Segment, required: false}
"""
STAGES = """
kind: crm_stages
format: csv
constants: {crm: paper}
fields:
  crm_record_id: Id
  stage: {column: Stage, values: {"Qualifiziert": qualified, "neu": new}}
  changed_at: Created
"""
DEALS = """
kind: crm_deals
format: csv
constants: {crm: paper}
fields:
  deal_id: Deal
  crm_record_id: Id
  deal_amount: Amount
  currency_code: Currency
"""
REPORT = """
kind: ad_report
format: csv
constants: {platform: linkedin_ads, account_id: "77"}
fields:
  campaign_id: Campaign
  campaign_name: {column: Name, required: false}
  platform_date: Day
  cost_micros: {column: Cost, multiply: 1000000}
  clicks: Clicks
"""
HEAD = "Id,Created,Mail\n"
GOOD = "1,2026-10-01T08:00:00Z,anna@example.org\n"
ANNA = {"crm_record_id": "1", "email": "anna@example.org"}
MORNING = datetime(2026, 10, 1, 8, tzinfo=UTC)


@dataclass(frozen=True)
class Case:
    """One file.

    Attributes:
        number: In the list of what has been seen in practice.
        content: The file; text is UTF-8.
        rows: Values (some of them) of the rows that are loaded; None if the file is refused.
        bad: Line, column and reason of the rows set aside.
        told: What the refusal says.
    """

    number: int
    story: str
    content: str | bytes
    mapping: str = LEADS
    rows: list[dict[str, Any]] | None = None
    bad: list[tuple[int, str | None, str]] = field(default_factory=list)
    told: str = ""

    @property
    def data(self) -> bytes:
        return self.content.encode() if isinstance(self.content, str) else self.content

    @property
    def outcome(self) -> str:
        """For the docs."""
        if self.rows is None:
            return f"refused: “{self.told}”"
        found = [f"line {line} set aside: `{reason}`" for line, _, reason in self.bad]
        if self.rows:
            notes = {row["_extra"].split('"')[3] for row in self.rows if row.get("_extra")}
            noted = f", noted as `{notes.pop()}`" if notes else ""
            found.append(f"{'the rest is' if self.bad else ''} loaded{noted}".strip())
        return "; ".join(found) or "no rows"


def with_option(mapping: str, line: str) -> str:
    return mapping + line + "\n"


def one(number: int, story: str, cells: str, columns: str = "", **value: Any) -> Case:
    """A lead with some cells of its own, loaded with these values."""
    rows = [value] if value else [{}]
    return Case(number, story, f"Id,Created{columns}\n1,2026-10-01T08:00:00Z{cells}\n", rows=rows)


def refused_cell(
    number: int, story: str, cells: str, columns: str, column: str, reason: str
) -> Case:
    """A lead that is set aside because of a cell, beside one that is loaded."""
    blanks = "," * columns.count(",")
    content = (
        f"Id,Created{columns}\n9,2026-10-01T08:00:00Z{blanks}\n1,2026-10-01T08:00:00Z{cells}\n"
    )
    return Case(number, story, content, rows=[{"crm_record_id": "9"}], bad=[(3, column, reason)])


def lead_at(number: int, story: str, cell: str, reason: str) -> Case:
    content = f"Id,Created\n9,2026-10-01T08:00:00Z\n1,{cell}\n"
    return Case(
        number,
        story,
        content,
        rows=[{"crm_record_id": "9"}],
        bad=[(3, "crm_created_at", reason)],
    )


def spend(number: int, story: str, cost: str, of_clicks: str = "1", **value: Any) -> Case:
    content = f"Campaign,Day,Cost,Clicks\nc1,2026-10-01,{cost},{of_clicks}\n"
    return Case(number, story, content, REPORT, [value])


def refused_spend(number: int, story: str, cost: str, clicks: str, bad: str, reason: str) -> Case:
    content = f"Campaign,Day,Cost,Clicks\nc9,2026-10-01,1,1\nc1,2026-10-01,{cost},{clicks}\n"
    return Case(number, story, content, REPORT, [{"campaign_id": "c9"}], [(3, bad, reason)])


ENCODING = [
    Case(1, "a UTF-8 byte order mark", b"\xef\xbb\xbf" + (HEAD + GOOD).encode(), rows=[ANNA]),
    Case(2, "UTF-16 as Excel saves Unicode text", (HEAD + GOOD).encode("utf-16"), rows=[ANNA]),
    Case(
        3,
        "cp1252 where UTF-8 was said",
        (HEAD + GOOD + "2,2026-10-01T08:00:00Z,José\n").encode("cp1252"),
        rows=[ANNA],
        bad=[(3, None, "bad_encoding")],
    ),
    Case(
        3,
        "cp1252 that the mapping names",
        "Id,Created,Segment\n1,2026-10-01T08:00:00Z,José\n".encode("cp1252"),
        with_option(LEADS, "encoding: cp1252"),
        [{"segment": "José"}],
    ),
    Case(3, "UTF-16 cut in a character", (HEAD + GOOD).encode("utf-16")[:-3], told="cut off"),
    Case(
        4,
        "two encodings in one file",
        HEAD.encode()
        + "1,2026-10-01T08:00:00Z,Jürgen\n".encode() * 2
        + "2,2026-10-01T08:00:00Z,J\xfcrgen\n".encode("latin-1"),
        rows=[{"email": "Jürgen"}] * 2,
        bad=[(4, None, "bad_encoding")],
    ),
    Case(
        5,
        "semicolons and decimal commas, not said",
        "Campaign;Day;Cost;Clicks\nc1;2026-10-01;1.234,56;1\n",
        REPORT,
        told="is missing",
    ),
    Case(
        5,
        "semicolons and decimal commas",
        "Campaign;Day;Cost;Clicks\nc1;2026-10-01;1.234,56;1\n",
        with_option(REPORT, 'delimiter: ";"\ndecimal: ","\nthousands: "."'),
        [{"cost_micros": 1_234_560_000}],
    ),
    Case(
        5,
        "a decimal comma where a point was said",
        'Campaign,Day,Cost,Clicks\nc9,2026-10-01,1,1\nc1,2026-10-01,"1.234,56",1\n',
        REPORT,
        [{"campaign_id": "c9"}],
        [(3, "cost_micros", "bad_number")],
    ),
    Case(
        6,
        "tabs",
        (HEAD + GOOD).replace(",", "\t"),
        with_option(LEADS, 'delimiter: "\\t"'),
        [ANNA],
    ),
    Case(6, "pipes", (HEAD + GOOD).replace(",", "|"), with_option(LEADS, 'delimiter: "|"'), [ANNA]),
    Case(
        7,
        "carriage returns alone end lines",
        (HEAD + GOOD + GOOD).replace("\n", "\r"),
        rows=[ANNA] * 2,
    ),
    Case(
        8,
        "a line break in quotes",
        HEAD + '1,2026-10-01T08:00:00Z,"a\nb"\n2,x,y\n',
        rows=[{"email": "a\nb"}],
        bad=[(4, "crm_created_at", "bad_timestamp")],
    ),
    Case(
        9,
        "a quote that is never closed",
        HEAD + GOOD + '2,2026-10-01T08:00:00Z,"oops\n' + GOOD,
        told="never closed",
    ),
    Case(
        10,
        "doubled quotes",
        'Id,Created,Segment\n1,2026-10-01T08:00:00Z,"say ""hi"""\n',
        rows=[{"segment": 'say "hi"'}],
    ),
    Case(
        10,
        "smart quotes are text",
        "Id,Created,Segment\n1,2026-10-01T08:00:00Z,“hi”\n",
        rows=[{"segment": "“hi”"}],
    ),
    Case(
        10,
        "text behind a closed quote",
        HEAD + GOOD + '2,2026-10-01T08:00:00Z,"a"b\n',
        told="outside the quotes",
    ),
    Case(
        11,
        "a row with a cell too many",
        HEAD + GOOD + "2,2026-10-01T08:00:00Z,x,y\n" + GOOD,
        rows=[ANNA] * 2,
        bad=[(3, None, "too_many_columns")],
    ),
    Case(
        12,
        "a row with a cell too few",
        HEAD + GOOD + "2,2026-10-01T08:00:00Z\n" + GOOD,
        rows=[ANNA] * 2,
        bad=[(3, None, "too_few_columns")],
    ),
    Case(
        13,
        "a column that is there twice",
        "Id,Created,Mail,mail\n1,2026-10-01T08:00:00Z,a,b\n",
        told="is there 2 times",
    ),
    Case(
        14,
        "a header in line 3",
        "Leads 2026\n\n" + HEAD + GOOD,
        with_option(LEADS, "header_row: 3"),
        [ANNA],
    ),
    Case(
        14,
        "a header that is looked for",
        "Leads 2026\n\n" + HEAD + GOOD,
        with_option(LEADS, "header_row: find"),
        [ANNA],
    ),
    Case(
        15,
        "a sum at the end",
        HEAD + GOOD + "Total,,1\n",
        rows=[ANNA],
        bad=[(3, "crm_created_at", "missing_required")],
    ),
    Case(
        15,
        "a sum that the mapping knows",
        HEAD + GOOD + "Total,,1\n",
        with_option(LEADS, "ignore_rows: {begin_with: [total]}"),
        [ANNA],
    ),
    Case(16, "an empty file", "", told="file is empty"),
    Case(17, "a header alone", HEAD, rows=[]),
    Case(18, "an error page saved as .csv", "<!DOCTYPE html><html>503</html>", told="web page"),
    Case(
        19,
        "a NUL byte",
        HEAD + GOOD + "2,2026-10-01T08:00:00Z,a\0b\n",
        rows=[ANNA],
        bad=[(3, None, "nul_byte")],
    ),
    Case(20, "a last line that was cut", HEAD + GOOD + "2,2026-10", told="cut off"),
    Case(
        20,
        "a last cell that was cut cannot be told from a whole one",
        HEAD + GOOD.rstrip("\n"),
        rows=[ANNA],
    ),
    Case(21, "gzip under the name .csv", gzip.compress((HEAD + GOOD).encode()), rows=[ANNA]),
    Case(21, "a zip archive under the name .csv", b"PK\x03\x04" + b"\0" * 100, told="zip archive"),
    Case(
        21,
        "gzip that ends early",
        gzip.compress((HEAD + GOOD * 900).encode())[:-12],
        told="gzip stream ends early",
    ),
    Case(
        21,
        "a gzip bomb of one line",
        gzip.compress(HEAD.encode() + b"0" * 50_000_000),
        told="longer than",
    ),
    Case(
        22,
        "a cell of 100 MB",
        gzip.compress(HEAD.encode() + b'1,x,"' + b"a\n" * 50_000_000, 1),
        told="longer than 128 KB",
    ),
    Case(
        23,
        "emoji and marks of direction stay",
        "Id,Created,Segment\n1,2026-10-01T08:00:00Z,😀\u202eab\n",
        rows=[{"segment": "😀\u202eab"}],
    ),
    Case(
        23,
        "half a surrogate pair",
        HEAD.encode() + GOOD.encode() + b"2,2026-10-01T08:00:00Z,\xed\xa0\xbd\n",
        rows=[ANNA],
        bad=[(3, None, "bad_encoding")],
    ),
    Case(
        24,
        "columns in another order",
        "Mail,Created,Id\nanna@example.org,2026-10-01T08:00:00Z,1\n",
        rows=[ANNA],
    ),
    Case(
        25,
        "a header in another language",
        HEAD.replace("Created", "Erstellt") + GOOD,
        told="'Created'",
    ),
    Case(
        25,
        "a name for it in the mapping",
        HEAD.replace("Created", "Erstellt") + GOOD,
        LEADS.replace("crm_created_at: Created", "crm_created_at: {column: [Created, Erstellt]}"),
        [ANNA],
    ),
]

GOOGLE = "Cj0KCQjw-NaJBhDsARIsAAja6dOJ3-k_EALw_wcB"
IDENTIFIERS = [
    Case(
        26,
        "leading zeros",
        "Id,Created\n00123,2026-10-01T08:00:00Z\n",
        rows=[{"crm_record_id": "00123"}],
    ),
    Case(
        27,
        "18 digits beside an empty cell",
        "Campaign,Day,Cost,Clicks\n120210000000000017,2026-10-01,1,1\n,2026-10-01,1,1\n",
        REPORT,
        [{"campaign_id": "120210000000000017"}],
        [(3, "campaign_id", "missing_required")],
    ),
    Case(
        28,
        "an id in a spreadsheet's scientific writing",
        HEAD + GOOD + "1.20210E+17,2026-10-01T08:00:00Z,\n",
        rows=[ANNA],
        bad=[(3, "crm_record_id", "excel_scientific_id")],
    ),
    Case(
        29,
        "an id that was a float",
        HEAD + GOOD + "8.0,2026-10-01T08:00:00Z,\n",
        rows=[ANNA],
        bad=[(3, "crm_record_id", "float_id")],
    ),
    Case(
        30,
        "a spreadsheet's apostrophe before an id",
        "Id,Created\n'00123,2026-10-01T08:00:00Z\n",
        rows=[{"crm_record_id": "00123"}],
    ),
    one(
        31,
        "a click id of 100 characters may have been cut",
        "," + "A" * 100,
        ",Click",
        click_id="A" * 100,
        _extra='{"click_id_note": "click_id_perhaps_cut"}',
    ),
    one(
        31,
        "a click id in lower case matches nothing",
        f",{GOOGLE.lower()}",
        ",Click",
        click_id=None,
        _extra='{"click_id_note": "click_id_lower_cased"}',
    ),
    one(
        31,
        "a click id with percent signs",
        ",Cj0%2DabC%5F1",
        ",Click",
        click_id="Cj0-abC_1",
        _extra='{"click_id_note": "click_id_mended"}',
    ),
    one(
        31,
        "a click id with the rest of the query",
        f",{GOOGLE}&gad_source=1",
        ",Click",
        click_id=GOOGLE,
        _extra='{"click_id_note": "click_id_mended"}',
    ),
    one(
        31,
        "a click id with its name",
        f",gclid={GOOGLE}&gad_source=1",
        ",Click",
        click_id=GOOGLE,
        click_id_type="gclid",
        _extra='{"click_id_note": "click_id_mended"}',
    ),
    one(
        32,
        "Meta's cookie instead of its click id",
        ",fb.1.1790000000123.IwAR1abc-DEF_2",
        ",Click",
        click_id="IwAR1abc-DEF_2",
        click_id_type="fbclid",
    ),
    one(
        33,
        "two click ids in one cell",
        f",{GOOGLE}; {GOOGLE}x",
        ",Click",
        click_id=None,
        _extra='{"click_id_note": "several_click_ids"}',
    ),
    Case(
        34,
        "the same id in two CRMs is two people",
        "Id,Created,Crm\n1,2026-10-01T08:00:00Z,a\n1,2026-10-01T08:00:00Z,b\n",
        LEADS.replace("constants: {crm: paper}\n", "").replace(
            "fields:\n", "fields:\n  crm: Crm\n"
        ),
        [{"crm": "a", "crm_record_id": "1"}, {"crm": "b", "crm_record_id": "1"}],
    ),
    one(
        35,
        "blanks nobody sees around an address",
        ",\u00a0\u200banna@example.org\ufeff",
        ",Mail",
        email="anna@example.org",
        email_key="anna@example.org",
    ),
    one(36, "capitals", ",Anna@Example.ORG", ",Mail", email_key="anna@example.org"),
    one(
        36,
        "a tag and dots stay: they may be another mailbox",
        ",a.nna+x@gmail.com",
        ",Mail",
        email_key="a.nna+x@gmail.com",
    ),
    one(36, "mailto:", ",mailto:anna@example.org", ",Mail", email_key="anna@example.org"),
    one(
        36,
        "two addresses in one cell give no key",
        ',"a@b.example; c@d.example"',
        ",Mail",
        email_key=None,
        _extra='{"email_note": "several_emails"}',
    ),
    one(
        36,
        "n/a instead of an address gives no key",
        ",n/a",
        ",Mail",
        email_key=None,
        _extra='{"email_note": "bad_email"}',
    ),
    one(
        36,
        "a test address is an address; the rulebook says who is a test",
        ",test@test.com",
        ",Mail",
        email_key="test@test.com",
    ),
    one(
        36,
        "a mailbox for ten minutes is an address",
        ",x@mailinator.com",
        ",Mail",
        email_key="x@mailinator.com",
    ),
    one(
        37,
        "a number without country, in the profile's country",
        ",030 23125000",
        ",Phone",
        phone_key="+493023125000",
    ),
    one(
        37,
        "an extension is left out",
        ",+49 30 23125000 ext. 5",
        ",Phone",
        phone_key="+493023125000",
    ),
    one(37, "a plus that got lost", ",4930 23125000", ",Phone", phone_key="+493023125000"),
    one(37, "letters", ",call me", ",Phone", phone_key=None),
    one(
        37,
        "digits that a spreadsheet rounded away",
        ",1.41556E+10",
        ",Phone",
        phone_key=None,
        _extra='{"phone_note": "excel_scientific_phone"}',
    ),
    Case(
        38,
        "the same record twice is kept twice; the newest counts",
        "Id,Created\n" + "1,2026-10-01T08:00:00Z\n" * 2,
        rows=[{"crm_record_id": "1"}] * 2,
    ),
]

VALUES = [
    one(39, "NA is a country, Null a surname", ",NA", ",Segment", segment="NA"),
    one(39, "None is a text", ",None", ",Segment", segment="None"),
    one(40, "TRUE", ",TRUE", ",Test", is_test=True),
    one(40, "yes", ",yes", ",Test", is_test=True),
    refused_cell(
        40, "Ja, which the mapping does not translate", ",Ja", ",Test", "is_test", "bad_boolean"
    ),
    refused_spend(41, "$ and thousands", '"$1,234.50"', "1", "cost_micros", "bad_number"),
    refused_spend(41, "brackets for minus", "(45.00)", "1", "cost_micros", "bad_number"),
    refused_spend(41, "€", "€10", "1", "cost_micros", "bad_number"),
    Case(
        41,
        "the same, said in the mapping",
        'Campaign,Day,Cost,Clicks\nc1,2026-10-01,"($1,234.50)",1\n',
        with_option(REPORT, 'thousands: ","\nnumber_marks: ["$"]\nnegative_in_parentheses: true'),
        [{"cost_micros": -1_234_500_000}],
    ),
    spend(42, "units become micros by a factor in the mapping", "0.1", cost_micros=100_000),
    *(
        refused_spend(43, text, text, "1", "cost_micros", "bad_number")
        for text in ("inf", "NaN", "1e400")
    ),
    spend(43, "minus zero is zero", "-0", cost_micros=0),
    spend(44, "a credit", "-5", cost_micros=-5_000_000),
    refused_spend(44, "clicks below zero", "5", "-1", "clicks", "negative_count"),
    spend(45, "zero is not nothing", "0", "", cost_micros=0, clicks=None),
    refused_cell(46, "a percent sign", ",12%", ",Score", "lead_score", "bad_number"),
    Case(
        46,
        "a percent sign that the mapping knows",
        "Id,Created,Score\n1,2026-10-01T08:00:00Z,12%\n",
        with_option(
            LEADS.replace("{column: Score,", "{column: Score, multiply: 0.01,"),
            'number_marks: ["%"]',
        ),
        [{"lead_score": Decimal("0.12")}],
    ),
    Case(
        47,
        "a stage in German, with blanks",
        "Id,Created,Stage\n1,2026-10-01T08:00:00Z, qualifiziert \n",
        STAGES,
        [{"stage": "qualified"}],
    ),
    Case(
        48,
        "a stage that is new stays as it is",
        "Id,Created,Stage\n1,2026-10-01T08:00:00Z,Demo booked\n",
        STAGES,
        [{"stage": "Demo booked"}],
    ),
    Case(
        49,
        "a value that changed is another version",
        "Id,Created,Score\n1,2026-10-01T08:00:00Z,1\n1,2026-10-01T08:00:00Z,2\n",
        rows=[{"lead_score": Decimal(1)}, {"lead_score": Decimal(2)}],
    ),
    Case(
        50,
        "a currency in lower case",
        "Deal,Id,Amount,Currency\nd,1,5,eur\n",
        DEALS,
        [{"currency_code": "EUR"}],
    ),
    Case(
        50,
        "EURO",
        "Deal,Id,Amount,Currency\nd,1,5,EUR\ne,1,5,EURO\n",
        DEALS,
        [{"deal_id": "d"}],
        [(3, "currency_code", "bad_currency")],
    ),
]

SLASHED = LEADS.replace(
    "crm_created_at: Created", 'crm_created_at: {column: Created, format: "%d/%m/%Y"}'
)
TIMES = [
    Case(
        51,
        "days and months that change places",
        "Id,Created\n1,01/02/2026\n2,13/02/2026\n3,02/13/2026\n",
        SLASHED,
        [
            {"crm_record_id": "1", "crm_created_at": datetime(2026, 1, 31, 23, tzinfo=UTC)},
            {"crm_record_id": "2"},
        ],
        [(4, "crm_created_at", "bad_timestamp")],
    ),
    *(
        Case(
            52,
            f"epoch {unit}",
            f"Id,Created\n1,{text}\n",
            LEADS.replace(
                "crm_created_at: Created", f"crm_created_at: {{column: Created, format: {unit}}}"
            ),
            [{"crm_created_at": datetime(2026, 9, 21, 14, 13, 20, tzinfo=UTC)}],
        )
        for unit, text in (
            ("epoch_s", "1790000000"),
            ("epoch_ms", "1790000000000"),
            ("epoch_us", "1790000000000000"),
        )
    ),
    Case(
        52,
        "milliseconds where seconds were said",
        "Id,Created\n1,1790000000000\n9,1790000000\n",
        LEADS.replace(
            "crm_created_at: Created", "crm_created_at: {column: Created, format: epoch_s}"
        ),
        [{"crm_record_id": "9"}],
        [(2, "crm_created_at", "bad_timestamp")],
    ),
    lead_at(52, "an epoch that the mapping does not know of", "1790000000", "bad_timestamp"),
    Case(
        53,
        "local time, an offset and Z",
        "Id,Created\n1,2026-10-01 10:00\n2,2026-10-01T10:00:00+02:00\n3,2026-10-01T08:00:00Z\n",
        rows=[{"crm_created_at": MORNING}] * 3,
    ),
    Case(
        54,
        "an hour that the clocks skip is shifted forward",
        "Id,Created\n1,2026-03-29 02:30\n",
        rows=[{"crm_created_at": datetime(2026, 3, 29, 1, 30, tzinfo=UTC)}],
    ),
    Case(
        54,
        "an hour that comes twice is the earlier",
        "Id,Created\n1,2026-10-25 02:30\n",
        rows=[{"crm_created_at": datetime(2026, 10, 25, 0, 30, tzinfo=UTC)}],
    ),
    lead_at(55, "the day before the first of Excel", "1900-01-00", "bad_timestamp"),
    lead_at(55, "year 1", "0001-01-01T00:00:00Z", "implausible_date"),
    lead_at(55, "year 9999", "9999-12-31T00:00:00Z", "implausible_date"),
    lead_at(55, "an Excel serial", "46023", "bad_timestamp"),
    lead_at(56, "29 February of no leap year", "2026-02-29T00:00:00Z", "bad_timestamp"),
    Case(
        56,
        "29 February of a leap year",
        "Id,Created\n1,2024-02-29T12:00:00Z\n",
        rows=[{"crm_created_at": datetime(2024, 2, 29, 12, tzinfo=UTC)}],
    ),
    Case(
        57,
        "changed before it was created: both stay, the models judge",
        "Id,Created,Changed\n1,2026-10-01T08:00:00Z,2026-09-01T08:00:00Z\n",
        LEADS.replace("  email", "  updated_at: Changed\n  email"),
        [{"crm_created_at": MORNING, "updated_at": datetime(2026, 9, 1, 8, tzinfo=UTC)}],
    ),
    Case(
        58,
        "a day to come stays; it counts when it is there",
        "Id,Created\n1,2030-01-01T08:00:00Z\n",
        rows=[{"crm_created_at": datetime(2030, 1, 1, 8, tzinfo=UTC)}],
    ),
    lead_at(59, "a day where a time is needed", "2026-10-01", "bad_timestamp"),
    lead_at(60, "24:00", "2026-10-01T24:00:00Z", "bad_timestamp"),
]

HOSTILE = [
    *(
        one(
            76,
            f"a spreadsheet's command is text: {text[0]!r}",
            f',"{text}"',
            ",Segment",
            segment=kept,
        )
        for text, kept in (
            ("=HYPERLINK(1)", "=HYPERLINK(1)"),
            ("+cmd|' /C calc'!A0", "+cmd|' /C calc'!A0"),
            ("@SUM(1)", "@SUM(1)"),
            ("-1+1", "-1+1"),
            ("\t=1", "=1"),
            ("\r=1", "=1"),
        )
    ),
    *(
        Case(
            77,
            f"markup and templates are text: {text[:3]}",
            f"Campaign,Name,Day,Cost,Clicks\nc1,{text},2026-10-01,1,1\n",
            REPORT,
            [{"campaign_name": text}],
        )
        for text in ("<script>alert(1)</script>", "{{ 7*7 }}", "${jndi:ldap://x}")
    ),
    one(78, "SQL is text", ",'; DROP TABLE leads;--", ",Segment", segment="'; DROP TABLE leads;--"),
    one(80, "a name of 3,000 characters", "," + "x" * 3000, ",Segment", segment="x" * 3000),
    one(
        80, "a name with the writing turned", ",\u202egpj.exe", ",Segment", segment="\u202egpj.exe"
    ),
]

CASES = [*ENCODING, *IDENTIFIERS, *VALUES, *TIMES, *HOSTILE]
# Not of one file: a link and a path (79) stand in the test beside this table.
NUMBERS = {*range(1, 61), *range(76, 81)} - {79}
