"""The example mappings against Olist's own layout (rows invented; the data set is not ours)."""

from __future__ import annotations

from datetime import date

from tests.sources.conftest import NOW, as_records
from trueline.paths import home
from trueline.sources.registry import build_source
from trueline.sources.settings import FilesSettings
from trueline.windows import Window

LEADS = (
    "mql_id,first_contact_date,landing_page_id,origin\nm1,01-02-2018,p1,social\nm2,15-06-2017,p2,\n"
)
DEALS = (
    "mql_id,seller_id,sdr_id,sr_id,won_date,business_segment,lead_type,has_company\n"
    "m1,s1,x,y,26-02-2018 19:58,pet,online_medium,\n"
)


def test_leads_and_deals_become_people_and_their_history(tmp_path) -> None:
    (tmp_path / "leads.csv").write_text(LEADS)
    (tmp_path / "deals.csv").write_text(DEALS)
    mappings = home() / "docs" / "examples" / "olist"
    settings = FilesSettings.model_validate(
        {
            "type": "files",
            "folder": str(tmp_path),
            "files": [
                {"path": "leads.csv", "mapping": str(mappings / "leads.yaml")},
                {"path": "deals.csv", "mapping": str(mappings / "deals.yaml")},
                {"path": "deals.csv", "mapping": str(mappings / "stages.yaml")},
            ],
        }
    )
    source = build_source(
        "olist",
        settings,
        connection=None,
        time_zone="UTC",
        root=tmp_path,
        workdir=tmp_path,
        known_hashes=frozenset(),
        now=NOW,
    )
    window = Window(date(2018, 2, 1), date(2018, 2, 28))
    leads, deals, stages = as_records(source.pull(window))
    first, second = (dict(record.values) for record in leads.records)
    assert (first["crm_source"], first["landing_page"]) == ("social", "p1")
    assert str(first["crm_created_at"]) == "2018-02-01 02:00:00+00:00"  # midnight in summer time
    assert str(second["crm_created_at"]) == "2017-06-15 03:00:00+00:00"
    deal = deals.records[0]
    assert (deal.values["deal_id"], deal.values["is_won"]) == ("s1", True)
    assert deal.values["deal_closed_at"] == deal.values["deal_created_at"]
    assert deal.extra == {"business_segment": "pet", "lead_type": "online_medium"}
    assert stages.records[0].values["stage"] == "won"
    assert stages.records[0].values["changed_at"] == deal.values["deal_closed_at"]
