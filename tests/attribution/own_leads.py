"""Leads of one's own through the real query of attribution.lead_credits, on an empty DuckDB."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

from trueline.model.cases import Case, case_parameters, give
from trueline.model.catalog import load_catalog
from trueline.rulebook.decay import decay_factors
from trueline.rulebook.fits import STEPS_PER_ONE
from trueline.warehouse.duckdb import DuckDBConnection, in_memory

LEAD_CREDITS = load_catalog()["attribution.lead_credits"]
_DAY = date(2026, 11, 10)
_NOON = datetime(2026, 11, 10, 12, tzinfo=UTC)
_RULES = {"rules_version": "v1"}


@dataclass(frozen=True, slots=True)
class Touch:
    """One visit by a channel."""

    channel: str
    at: datetime = _NOON


def by(*channels: str) -> list[Touch]:
    return [Touch(channel) for channel in channels]


class Credits:
    """A database in memory that credits leads again and again."""

    def __init__(self) -> None:
        self._connection: DuckDBConnection = in_memory()
        self._case = Case(Path(), LEAD_CREDITS, {}, (), {}, [])
        factors = [{**_RULES, **row} for row in decay_factors()]
        give(self._connection, self._case, {"rules.decay_factors": factors})

    def of(
        self,
        leads: Sequence[Sequence[Touch]],
        model: str,
        *,
        weights: Mapping[str, Fraction] | None = None,
        **parameters: Any,
    ) -> list[list[tuple[str, Decimal]]]:
        """Channel and credit of each credited touch, by lead and place.

        Args:
            leads: Touches of each lead in order of time.
            weights: Of a fit, by channel.
            parameters: Over those of the default rulebook.
        """
        for table in ("identity.leads", "attribution.lead_touches", "rules.model_fits"):
            self._connection.raw.execute(f"delete from {table}")
        rows = {
            "identity.leads": [
                {"lead_key": f"crm:{n:09}", "report_date": _DAY, "platform": "none of them"}
                for n, _ in enumerate(leads)
            ],
            "attribution.lead_touches": [
                {
                    "lead_key": f"crm:{n:09}",
                    "report_date": _DAY,
                    "touch_id": f"{n}-{place}",
                    "touched_at": touch.at,
                    "touch_position": place,
                    "touch_count": len(touches),
                    "platform": touch.channel,
                }
                for n, touches in enumerate(leads)
                for place, touch in enumerate(touches, start=1)
            ],
            "rules.model_fits": [
                {**_RULES, "channel": name, "weight_trillionths": int(weight * STEPS_PER_ONE)}
                for name, weight in (weights or {}).items()
            ],
        }
        for name, values in rows.items():
            self._insert(name, values)
        known = case_parameters(self._case)
        self._connection.rebuild(LEAD_CREDITS, {**known, **parameters, "attribution_model": model})
        found: dict[str, list[tuple[str, Decimal]]] = defaultdict(list)
        for row in self._connection.query(
            "select lead_key, platform, credit from attribution.lead_credits "
            "order by lead_key, credit_position"
        ):
            found[row["lead_key"]].append((row["platform"], row["credit"]))
        return [found[f"crm:{n:09}"] for n, _ in enumerate(leads)]

    def _insert(self, table: str, rows: list[dict[str, Any]]) -> None:
        """Column by column: thousands of rows one by one would take seconds."""
        if rows:
            names = list(rows[0])
            columns = ", ".join(f"unnest(${name})" for name in names)
            self._connection.raw.execute(
                f"insert into {table} ({', '.join(names)}) select {columns}",
                {name: [row[name] for row in rows] for name in names},
            )

    def totals(
        self, leads: Sequence[Sequence[Touch]], model: str, **more: Any
    ) -> dict[str, Decimal]:
        """Credits by channel, over all leads."""
        total: dict[str, Decimal] = defaultdict(Decimal)
        for credits in self.of(leads, model, **more):
            for channel, credit in credits:
                total[channel] += credit
        return dict(total)
