"""A file nobody has described: what is proposed reads it, says its doubts and names nobody."""

from __future__ import annotations

import gzip
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.sources.conftest import NOW
from tests.sources.test_files_library import (
    EXPECTED,
    SAMPLES,
    SECOND_READINGS,
    by_table,
    sample_of,
)
from trueline.cli.main import main
from trueline.errors import PermanentError
from trueline.sources.files import library
from trueline.sources.files.mapping import FileMapping, load_mapping
from trueline.sources.files.propose.proposal import Proposal, propose
from trueline.sources.files.source import FilesSource
from trueline.sources.settings import FilesSettings
from trueline.windows import Window

FIRST_READINGS = sorted(EXPECTED.keys() - SECOND_READINGS.keys())


def proposed(path: Path, kind: Any = None) -> Proposal:
    return propose(path, kind, time_zone="Europe/Berlin", now=NOW)


def file(tmp_path: Path, name: str, content: str | bytes, encoding: str = "utf-8") -> Path:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return path


def loaded(made: Proposal, tmp_path: Path) -> FileMapping:
    (tmp_path / "proposed.yaml").write_text(made.text, encoding="utf-8")
    return load_mapping(tmp_path / "proposed.yaml")


def rows_of(made: Proposal, path: Path, tmp_path: Path) -> list[dict[str, Any]]:
    """Good rows of the first table, read with the proposal as it stands."""
    loaded(made, tmp_path)
    (tmp_path / path.name).write_bytes(path.read_bytes())
    settings = {"path": path.name, "mapping": "proposed.yaml"}
    source = FilesSource(
        "exports",
        FilesSettings.model_validate({"type": "files", "files": [settings]}),
        connection=None,
        time_zone="Europe/Berlin",
        root=tmp_path,
        workdir=tmp_path / "work",
        known_hashes=frozenset(),
        now=NOW,
    )
    tables = by_table(source.pull(Window(NOW.date(), NOW.date())))
    return next(iter(tables.values())).values


@pytest.mark.parametrize("name", FIRST_READINGS)
def test_each_sample_gets_the_ready_made_mapping_and_the_same_rows(
    name: str, tmp_path: Path
) -> None:
    made = proposed(SAMPLES / sample_of(name))
    assert made.ready_made == name
    assert not made.missing
    mapping = loaded(made, tmp_path)
    assert mapping.extends == name
    ready = load_mapping(library.path_of(name))
    assert mapping.model_copy(update={"extends": None}) == ready.model_copy(
        update={"extends": None}
    )
    assert made.trial is not None
    for table, rows in EXPECTED[name].rows.items():
        counted = made.trial.tables[table]
        assert (counted.good, counted.bad) == (
            len(rows),
            sum(each[0] == table for each in EXPECTED[name].bad),
        )


def test_the_second_reading_of_a_file_is_named() -> None:
    assert "library/hubspot_lead_status.yaml" in proposed(SAMPLES / "hubspot_contacts.csv").text
    again = proposed(SAMPLES / "hubspot_contacts.csv", "crm_stages")
    assert again.ready_made == "hubspot_lead_status"


def test_what_differs_from_the_ready_made_mapping_is_written_down(tmp_path: Path) -> None:
    text = (SAMPLES / "google_ads_report.csv").read_text().replace(",Customer ID", ",Customer no")
    made = proposed(file(tmp_path, "g.csv", text.replace("$", "")))
    assert made.ready_made == "google_ads_report"
    assert [each.split(":")[0] for each in made.missing] == ["account_id"]
    assert "#   constants: {account_id: …}" in made.text
    tabs = file(
        tmp_path,
        "l.csv",
        (SAMPLES / "salesforce_leads_report.csv").read_text().replace('","', '";"'),
        "utf-8",
    )
    mapping = loaded(proposed(tabs), tmp_path)
    assert (mapping.extends, mapping.delimiter) == ("salesforce_leads_report", ";")


def test_a_german_spreadsheet_export_is_read_to_the_cent(tmp_path: Path) -> None:
    path = file(
        tmp_path,
        "facebook_kosten.csv",
        "Tag;Kampagne;Kampagnen-ID;Konto-ID;Ausgaben (EUR);Impressionen;Klicks;Ergebnisse\r\n"
        "01.10.2026;Herbst für Süd;c1;42;1.234,56;1.000;10;2\r\n"
        "13.10.2026;Herbst für Süd;c1;42;-34,50;0;0;0\r\n"
        "14.10.2026;Winter;c2;42;100;50;5;k. A.\r\n"
        "Summe;;;;1.300,06;1.050;15;2\r\n",
        "cp1252",
    )
    made = proposed(path)
    mapping = loaded(made, tmp_path)
    assert (mapping.encoding, mapping.delimiter, mapping.decimal, mapping.thousands) == (
        "cp1252",
        ";",
        ",",
        ".",
    )
    assert mapping.ignore_rows.begin_with == ("Summe",)
    assert mapping.null_tokens == ("k. A.",)
    assert any(doubt.startswith("encoding") for doubt in made.doubts)
    rows = rows_of(made, path, tmp_path)
    assert [(row["campaign_name"], row["cost_micros"], row["currency_code"]) for row in rows] == [
        ("Herbst für Süd", 1_234_560_000, "EUR"),
        ("Herbst für Süd", -34_500_000, "EUR"),
        ("Winter", 100_000_000, "EUR"),
    ]
    assert mapping.constants["platform"] == "meta_ads"
    assert "day first, told by 2 rows (3, 4)" in made.text


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16_with_and_without_its_mark(tmp_path: Path, encoding: str) -> None:
    text = "id\temail\tcreated_at\tsegment\n7\tjon@example.org\t2026-10-01T08:00:00Z\tMöbel\n"
    path = file(tmp_path, "u.csv", text, encoding)
    (row,) = rows_of(proposed(path), path, tmp_path)
    assert (row["crm_record_id"], row["segment"]) == ("7", "Möbel")


DATES = "Lead ID,Email,Created\n1,maria@example.com,{}\n2,jon@example.org,{}\n"


def test_dates_that_could_be_either_are_a_doubt(tmp_path: Path) -> None:
    made = proposed(file(tmp_path, "d.csv", DATES.format("01/02/2026", "03/04/2026")))
    (doubt,) = [each for each in made.doubts if each.startswith("crm_created_at")]
    assert "no row decides" in doubt
    assert f"# doubt: {doubt}" in made.text
    semicolons = DATES.replace(",", ";").format("01/02/2026", "03/04/2026")
    assert "%d/%m/%Y" in proposed(file(tmp_path, "s.csv", semicolons)).text


@pytest.mark.parametrize(
    ("first", "second", "layout", "told"),
    [
        ("01/02/2026", "13/04/2026", "%d/%m/%Y", "day first, told by 1 row (3)"),
        ("01/13/2026", "03/04/2026", "%m/%d/%Y", "month first, told by 1 row (2)"),
        ("1.2.26 08:00", "28.2.26 09:30", "%d.%m.%y %H:%M", "day first"),
        ('"Oct 1, 2026"', '"Oct 2, 2026"', "%b %d, %Y", ""),
        ("2026-10-01", "2026-10-02", "%Y-%m-%d", ""),
        ("1790000000", "1790000100", "epoch_s", "10 digits"),
        ("1790000000000", "1790000100000", "epoch_ms", "13 digits"),
    ],
)
def test_the_rows_that_decide_are_named(tmp_path: Path, first, second, layout, told) -> None:
    path = file(tmp_path, "d.csv", DATES.format(first, second))
    made = proposed(path)
    assert loaded(made, tmp_path).fields["crm_created_at"].format == layout
    assert told in made.text
    assert not any("no row decides" in doubt for doubt in made.doubts)
    assert len(rows_of(made, path, tmp_path)) == 2


@pytest.mark.parametrize(
    ("cells", "decimal", "thousands"),
    [
        (("1.234,50", "12"), ",", "."),
        (("1,234.50", "12"), ".", ","),
        (("1 234,50", "12"), ",", " "),
        (("1'234.50", "12"), ".", "'"),
        (("12,5", "3,75"), ",", None),
        (("1.234.567", "12"), ".", None),
    ],
)
def test_how_numbers_are_written(tmp_path: Path, cells, decimal, thousands) -> None:
    rows = "".join(f"d{n};p{n};{cell}\n" for n, cell in enumerate(cells))
    made = proposed(file(tmp_path, "n.csv", "Deal ID;Contact ID;Amount\n" + rows))
    if cells[0] == "1.234.567":  # only points, in groups: thousands, and a comma would be decimal
        decimal, thousands = ",", "."
    mapping = loaded(made, tmp_path)
    assert (mapping.decimal, mapping.thousands) == (decimal, thousands)


def test_thousands_that_could_be_thousandths_are_a_doubt(tmp_path: Path) -> None:
    text = "Deal ID;Contact ID;Amount\nd1;1;1.500\nd2;2;2.250\n"
    made = proposed(file(tmp_path, "n.csv", text))
    assert any("thousand times too big" in doubt for doubt in made.doubts)


PERSONAL = (
    "Exported for Maria Keller <maria.keller@example.com>\n\n"
    "Customer number,E-Mail,Telefon,Angelegt,Quelle,Vorname,Nachname,Bemerkung,Extra\n"
    "k-1,maria.keller@example.com,030 23125000,13.10.2026 08:15,web,Maria,Keller,blue,"
    "call jon@example.org\n"
    "k-2,jon@example.org,+49 30 23125001,02.10.2026 09:00,web,Jon,Berg,,\n"
    "k-3,ines.sol@example.com,,bad date of Ines,web,Ines,Sol,,\n"
)
PEOPLE = ("maria", "keller", "jon@", "berg", "ines", "@example", "2312500", "k-1", "blue")


def test_nothing_of_a_person_is_in_the_output(tmp_path: Path) -> None:
    made = proposed(file(tmp_path, "leads.csv", PERSONAL))
    told = "\n".join([made.text, *made.found, *made.doubts, *made.missing]).lower()
    assert "crm_record_id: customer number" in told
    assert not [person for person in PEOPLE if person in told]
    mapping = loaded(made, tmp_path)
    assert mapping.header_row == "find"
    assert set(mapping.drop) == {"Vorname", "Nachname", "Bemerkung", "Extra"}
    assert made.trial is not None
    assert made.trial.tables["crm_leads"].reasons == {"bad_timestamp in crm_created_at": 1}


@pytest.mark.parametrize(
    "text",
    [
        "Maria Keller,maria.keller@example.com,+49 30 23125000,2026-10-01\n"
        "Jon Berg,jon@example.org,+49 30 23125001,2026-10-02\n",
        "Maria,Keller,Potsdam\nJon,Berg,Kiel\n",
    ],
)
def test_a_file_without_a_header_is_refused_without_a_word_of_it(tmp_path: Path, text) -> None:
    made = proposed(file(tmp_path, "f.csv", text))
    told = "\n".join([made.text, *made.found, *made.doubts, *made.missing]).lower()
    assert "a row that names the columns" in told
    assert not [each for each in (*PEOPLE, "potsdam", "kiel") if each in told]


def test_json_lines_packed_and_parquet(tmp_path: Path) -> None:
    objects = [
        {"event_id": "a1", "event": "lead_form", "timestamp": 1790000000000, "n": 1.5},
        {"event_id": "a2", "event": "lead_form", "timestamp": 1790000100000, "url": "/x"},
    ]
    lines = "".join(json.dumps(each) + "\n" for each in objects)
    path = file(tmp_path, "events.jsonl.gz", gzip.compress(lines.encode()))
    made = proposed(path)
    assert loaded(made, tmp_path).fields["occurred_at"].format == "epoch_ms"
    assert [row["event_id"] for row in rows_of(made, path, tmp_path)] == ["a1", "a2"]
    table = pa.table(
        {
            "deal_id": ["d1"],
            "contact_id": ["1"],
            "amount": [12.5],
            "created_at": pa.array([1790000000000000], pa.timestamp("us", "UTC")),
        }
    )
    pq.write_table(table, tmp_path / "deals.parquet")
    path = tmp_path / "deals.parquet"
    made = proposed(path)
    mapping = loaded(made, tmp_path)
    assert (mapping.kind, mapping.format) == ("crm_deals", "parquet")
    assert len(rows_of(made, path, tmp_path)) == 1


HEADERS = {
    "fr": "Jour;Nom de la campagne;ID de la campagne;ID du compte;Montant dépensé (EUR);"
    "Impressions;Clics;Résultats",
    "es": "Día;Nombre de la campaña;ID de la campaña;ID de la cuenta;Importe gastado (EUR);"
    "Impresiones;Clics;Resultados",
    "pt": "Dia;Nome da campanha;ID da campanha;ID da conta;Valor usado (EUR);Impressões;Cliques;"
    "Resultados",
    "it": "Giorno;Nome della campagna;ID campagna;ID account;Importo speso (EUR);Impressioni;Clic;"
    "Risultati",
    "nl": "Dag;Campagnenaam;Campagne-ID;Account-ID;Besteed bedrag (EUR);Weergaven;Klikken;"
    "Resultaten",
    "de": "Tag;Kampagnenname;Kampagnen-ID;Konto-ID;Ausgegebener Betrag (EUR);Impressionen;"
    "Klicks;Ergebnisse",
}


@pytest.mark.parametrize("language", HEADERS)
def test_reports_in_seven_languages(tmp_path: Path, language: str) -> None:
    row = "13/10/2026;Automne;c1;42;1 234,50;1000;10;2\n"
    path = file(tmp_path, "facebook.csv", f"{HEADERS[language]}\n{row}")
    made = proposed(path)
    assert not made.missing
    (found,) = rows_of(made, path, tmp_path)
    assert (found["campaign_id"], found["account_id"]) == ("c1", "42")
    assert (found["cost_micros"], found["impressions"], found["clicks"]) == (
        1_234_500_000,
        1000,
        10,
    )


def test_what_the_kind_needs_and_the_file_lacks_is_missing(tmp_path: Path) -> None:
    path = file(tmp_path, "spend.csv", "Day,Campaign,Spend\n2026-10-01,Autumn,5\n")
    made = proposed(path)
    assert [each.split(":")[0] for each in made.missing] == ["platform", "account_id"]
    assert any("its name stands for it" in doubt for doubt in made.doubts)
    assert made.trial is None


META = (
    "Reporting starts,Reporting ends,Campaign name,Results,Result indicator,"
    "Amount spent (EGP),Impressions,Clicks (all)\n"
    '2026-10-01,2026-10-01,"Campaign, with comma",11,Website Purchase,164.4,2497,87\n'
    "2026-10-01,2026-10-07,Second campaign,,,25.6,400,20\n"
)


def test_a_report_over_a_period_is_not_taken_for_a_day(tmp_path: Path) -> None:
    made = proposed(file(tmp_path, "export.csv", META))
    assert "one_day: {Reporting starts: Reporting ends}" in made.text
    assert any("1 of the rows tell of more than one day" in doubt for doubt in made.doubts)
    (hint,) = [doubt for doubt in made.doubts if "meta_ads_report" in doubt]
    assert hint.endswith("fits once the export has 'Account ID', 'Campaign ID' too")


@pytest.mark.parametrize(
    ("total", "ignored"),
    [
        ("Total,,,,7", "ignore_rows: {empty: [Day]}"),
        ("Total: all,--,--,--,7", 'ignore_rows: {begin_with: ["Total:"]}'),
        ("Total of 2 results,-,-,-,7", "ignore_rows: {begin_with: [Total of]}"),
        ("Total,-,-,-,7", "ignore_rows: {begin_with: [Total]}"),
        ("© 2026 Platform", 'ignore_rows: {begin_with: ["©"]}'),
    ],
)
def test_a_campaign_called_total_is_not_lost_with_the_sums(tmp_path, total, ignored) -> None:
    text = (
        "Campaign,Campaign ID,Account ID,Day,Cost\nAutumn,1,9,2026-10-01,2\n"
        "Total wellness,2,9,2026-10-01,5\n"
    )
    path = file(tmp_path, "google.csv", f"{text}{total}\n")
    made = proposed(path)
    assert ignored in made.text
    is_doubtful = ignored.endswith("[Total]}")
    assert any(doubt.startswith("ignore_rows") for doubt in made.doubts) == is_doubtful
    if not is_doubtful:
        assert [row["campaign_id"] for row in rows_of(made, path, tmp_path)] == ["1", "2"]


def test_the_title_of_a_report_tells_its_platform(tmp_path: Path) -> None:
    text = (
        "Campaign report\nSeptember 1, 2026 - September 3, 2026\n"
        "Campaign\tCampaign ID\tDay\tCost\tClicks\nContractor\t2145\t2026-09-01\t1,038.34\t322\n"
        "Total: Campaigns\t\t\t1,038.34\t322\n"
    )
    made = proposed(file(tmp_path, "export.csv", text, "utf-16"))
    assert "platform: google_ads" in made.text
    assert 'ignore_rows: {begin_with: ["Total:"]}' in made.text
    assert [each.split(":")[0] for each in made.missing] == ["account_id"]


def test_a_ready_made_mapping_in_another_encoding(tmp_path: Path) -> None:
    text = (SAMPLES / "linkedin_ads_report.csv").read_text("utf-16")
    made = proposed(file(tmp_path, "l.csv", text))
    mapping = loaded(made, tmp_path)
    assert (mapping.extends, mapping.encoding) == ("linkedin_ads_report", "utf-8")
    assert made.trial is not None
    assert made.trial.refused is None
    assert made.trial.tables["ad_delivery"].good == 3


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "empty"),
        ("<html><body>Log in</body>", "web page"),
        (b"PK\x03\x04junk", "zip archive"),
        ('[{"id": 1}]', "JSON array"),
    ],
)
def test_what_is_no_table_is_said_to_be_none(tmp_path: Path, content, told) -> None:
    with pytest.raises(PermanentError, match=told):
        proposed(file(tmp_path, "x.csv", content))


@dataclass
class Done:
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def trueline(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """The command line in this process: ``trueline("list")`` is ``trueline mapping list``."""

    def run(*arguments: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["trueline", "mapping", *arguments])
        capsys.readouterr()
        try:
            main()
            code: Any = 0
        except SystemExit as stop:
            code = stop.code or 0
        return Done(code, *capsys.readouterr())

    return run


def test_the_verbs_and_their_exit_codes(tmp_path: Path, trueline: Any) -> None:
    leads = file(tmp_path, "leads.csv", PERSONAL)
    target = tmp_path / "leads.yaml"
    done = trueline("propose", str(leads), "--output", str(target))
    assert (done.returncode, done.stdout) == (0, "")
    assert "tried: 2 of all 3 rows become raw.crm_leads; 1 would be quarantined" in done.stderr
    assert not [person for person in PEOPLE if person in done.stderr.lower()]
    assert trueline("propose", str(leads), "--output", str(target)).returncode == 2
    checked = trueline("check", str(leads), "--mapping", str(target), "--format", "json")
    (row,) = json.loads(checked.stdout)["rows"]
    assert (row["received"], row["good"], row["quarantined"]) == (3, 2, 1)
    wrong = trueline("check", str(leads), "--mapping", "library/hubspot_deals.yaml")
    assert wrong.returncode == 1
    assert "is missing" in wrong.stderr
    assert not [person for person in PEOPLE if person in wrong.stderr.lower()]
    spend = file(tmp_path, "spend.csv", "Day,Campaign,Spend\n2026-10-01,Autumn,5\n")
    lacking = trueline("propose", str(spend))
    assert lacking.returncode == 1
    assert "missing: account_id" in lacking.stderr
    assert trueline("propose", str(tmp_path / "nowhere.csv")).returncode == 2


def test_the_list_names_every_ready_made_mapping(trueline: Any) -> None:
    done = trueline("list", "--format", "json")
    rows = json.loads(done.stdout)["rows"]
    assert [row["mapping"] for row in rows] == [f"library/{name}.yaml" for name in library.names()]
    assert {row["columns_checked"] for row in rows} == {True, False}
