"""Meta rows to raw records. Every number is text; counts that are zero may be missing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from trueline.sources.collect import as_text, cell, needed
from trueline.sources.meta_ads.constants import (
    ACCOUNT_STATUS,
    ACTION_LISTS,
    DAY_FIELDS,
    FIELDS,
    OFF_META,
    PLATFORM,
    VIEW_WINDOW,
    WINDOWS,
)
from trueline.sources.values import BadValue, day, integer, micros, numeric, text
from trueline.windows import Window

Row = Mapping[str, Any]
KNOWN_FIELDS = frozenset({*FIELDS, *DAY_FIELDS})
KNOWN_ACTION_FIELDS = frozenset({"action_type", "value", *WINDOWS})


def account(about: Row, account_id: str) -> dict[str, Any]:
    """``raw.ad_accounts``."""
    status = text(about.get("account_status"))
    return {
        "platform": PLATFORM,
        "account_id": account_id,
        "account_name": text(about.get("name")),
        "currency_code": needed("currency_code", text, about.get("currency")),
        "account_time_zone": needed("account_time_zone", text, about.get("timezone_name")),
        "account_status": ACCOUNT_STATUS.get(status or "", status),
    }


def campaign_day(row: Any, account_id: str, asked: Window) -> dict[str, Any]:
    """What delivery and claims of a row have in common.

    Raises:
        BadValue: also where the row is not one of the days that were asked for.
    """
    if not isinstance(row, Mapping):
        raise BadValue("not_an_object")
    found = cell("platform_date", day, row.get("date_start"))
    if row.get("date_stop") not in (None, row["date_start"]):
        raise BadValue("not_one_day", "platform_date")
    if not asked.start <= found <= asked.end:
        raise BadValue("outside_window", "platform_date")
    return {
        "platform": PLATFORM,
        "account_id": account_id,
        "campaign_id": needed("campaign_id", text, row.get("campaign_id")),
        "platform_date": found,
    }


def delivery(row: Row, key: Row, currency: str, time_zone: str) -> dict[str, Any]:
    """``raw.ad_delivery``: spend in units becomes micros."""
    return {
        **key,
        "campaign_name": text(row.get("campaign_name")),
        "account_time_zone": time_zone,
        # The row's own currency: an account can change it, and its past does not follow.
        "currency_code": text(row.get("account_currency")) or currency,
        "cost_micros": cell("cost_micros", micros, row.get("spend")) or 0,
        "impressions": cell("impressions", integer, row.get("impressions")) or 0,
        "clicks": cell("clicks", integer, row.get("clicks")) or 0,
    }


def unknown_fields(row: Row) -> dict[str, str]:
    """What nobody asked for, for ``_extra``."""
    return {name: _plain(row[name]) for name in row if name not in KNOWN_FIELDS}


@dataclass(frozen=True, slots=True)
class Claimed:
    """One entry of a row's lists.

    Attributes:
        kind: Its action type; None where it has none.
        entry: The entry as it came.
        amounts: The entries of the same type in the list of values.
        wrong: Why it cannot be used, as a row error's reason.
    """

    kind: str | None
    entry: Any
    amounts: tuple[Any, ...] = ()
    wrong: str | None = None


def claimed(row: Row) -> Iterator[Claimed]:
    """All entries of ``actions``, and those of ``conversions`` that repeat none of them."""
    told: set[str | None] = set()
    for counts, values in ACTION_LISTS:
        entries = row.get(counts)
        if entries is not None and not isinstance(entries, list):
            yield Claimed(None, entries, wrong="bad_list")
            continue
        met: set[str | None] = set()
        for entry in entries or ():
            kind = _kind(entry)
            if kind is None:
                yield Claimed(None, entry, wrong="missing_required")
            elif kind in met:
                # Which of the two is right cannot be told.
                yield Claimed(kind, entry, wrong="duplicate_action")
            elif kind not in told:
                met.add(kind)
                listed = row.get(values)
                amounts = listed if isinstance(listed, list) else ()
                yield Claimed(kind, entry, tuple(each for each in amounts if _kind(each) == kind))
        told |= met


def claim(key: Row, found: Claimed) -> dict[str, Any]:
    """``raw.pixel_claims`` of one entry; ``value`` is in the account's own window."""
    if found.wrong:
        raise BadValue(found.wrong, "conversion_action")
    if len(found.amounts) > 1:
        raise BadValue("duplicate_action", "pixel_value_amount")
    amount = found.amounts[0].get("value") if found.amounts else None
    is_off_meta = found.kind is not None and found.kind.startswith(OFF_META)
    return {
        **key,
        "conversion_action": found.kind,
        "conversion_action_name": found.kind,
        "claim_basis": "conversion_date" if is_off_meta else "click_date",
        "pixel_conversions": needed("pixel_conversions", numeric, found.entry.get("value")),
        "view_through": _view_through(found.entry),
        "pixel_value_amount": cell("pixel_value_amount", numeric, amount),
    }


def other_windows(entry: Row) -> dict[str, str]:
    """The click windows one by one, and what nobody asked for, for ``_extra``."""
    known = ("action_type", "value", VIEW_WINDOW)
    return {name: _plain(entry[name]) for name in entry if name not in known}


def _kind(entry: Any) -> str | None:
    return text(entry.get("action_type")) if isinstance(entry, Mapping) else None


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else as_text(value)


def _view_through(action: Row) -> Any:
    """Claims after a view alone.

    A window that counted nothing has no key. So its absence means zero where another window that
    was asked for is there, and "not told" where none is.
    """
    if VIEW_WINDOW in action:
        return cell("view_through", numeric, action[VIEW_WINDOW])
    return numeric(0) if any(window in action for window in WINDOWS) else None
