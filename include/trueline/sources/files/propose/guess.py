"""Which kind of file it is, which column fills which field, and what is missing for the kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

from trueline.sources.files.mapping import CURRENCY_PLACEHOLDER
from trueline.sources.files.propose.dates import Order, order_of, read_dates
from trueline.sources.files.propose.shapes import (
    PERSONAL_SHAPES,
    Column,
    looks_personal,
    number_style,
    shape_of,
    told_shape,
)
from trueline.sources.files.propose.sniff import Seen
from trueline.sources.files.propose.words import (
    FALSE,
    NULLS,
    PLATFORMS,
    TOTALS,
    TRUE,
    currency_in,
    dictionary,
    is_period_end,
    is_period_start,
    is_personal,
    plain,
)
from trueline.sources.files.targets import DELIVERY_MEASURES, TABLES, Kind, columns, targets

KINDS: tuple[Kind, ...] = get_args(Kind)
TIMES_WITHOUT_OFFSET = (
    "time_zone: the times do not say theirs; the profile's is taken unless time_zone is set"
)
# The field that no row of sums fills.
_KEYS = ("platform_date", "crm_record_id", "deal_id", "event_id", "touch_id", "rate")
_NUMBERS = ("NUMERIC", "INT64")
# What tells a kind from another that would take the same columns.
_MARKS: dict[Kind, tuple[str, ...]] = {
    "ad_report": ("cost_micros", "impressions", "clicks"),
    "crm_leads": ("email", "phone", "crm_source"),
    "crm_stages": ("stage",),
    "crm_deals": ("deal_amount", "is_won", "deal_closed_at"),
    "tag_events": ("event_id", "event_name"),
    "touches": ("is_bounce", "referrer", "page_url"),
    "exchange_rates": ("rate",),
}
# A content decides a field where the column's name says nothing.
_BY_SHAPE = {"e-mail addresses": "email", "phone numbers": "phone", "web addresses": "page_url"}
_CLICK_ID_NAMES = {
    "gclid": ("gclid", "google", "Google click ids"),
    "fbclid": ("fbclid", "facebook", "Meta click ids"),
    "msclkid": ("msclkid", "microsoft", ""),
    "ttclid": ("ttclid", "tiktok", ""),
    "li_fat_id": ("li fat id", "linkedin", ""),
    "gbraid": ("gbraid", "gbraid", ""),
    "wbraid": ("wbraid", "wbraid", ""),
}


@dataclass(slots=True)
class Draft:
    """A mapping in the making: plain values as they will stand in YAML, and what to say of them.

    Attributes:
        settings: Everything but kind, format, constants and fields.
        doubts: Sentences for the head of the mapping and the summary.
        field_doubts: Doubts of one field, told at its line.
        notes: What the rows told of one field.
        missing: Required field to what would fill it.
        dropped: Columns that are not kept, with the reason.
        kept: Columns that are kept beside the fields, with what they look like.
    """

    kind: Kind
    settings: dict[str, Any] = field(default_factory=dict)
    constants: dict[str, Any] = field(default_factory=dict)
    fields: dict[str, dict[str, Any]] = field(default_factory=dict)
    doubts: list[str] = field(default_factory=list)
    field_doubts: dict[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    dropped: dict[str, str] = field(default_factory=dict)
    kept: dict[str, str] = field(default_factory=dict)


def chosen_kind(found: Sequence[Column]) -> tuple[Kind, list[str]]:
    """The kind that the columns fit best, and a doubt where another fits as well."""
    scores: dict[Kind, int] = {}
    for kind in KINDS:
        fields = matched(kind, found)
        needed = {
            name
            for table in TABLES[kind][:1]
            for name, target in columns(table).items()
            if target.required and name not in ("crm", "platform", "observer")
        }
        marks = sum(name in fields for name in _MARKS[kind])
        scores[kind] = 3 * marks + 2 * len(needed & fields.keys()) + len(fields) if marks else 0
        scores[kind] -= 3 * len(needed - fields.keys())
    best = max(KINDS, key=lambda kind: scores[kind])
    near = [kind for kind in KINDS if kind != best and scores[kind] >= scores[best] - 1]
    doubt = f"kind: it could also be {' or '.join(near)}; say which with --kind"
    return best, [doubt] if near else []


def matched(kind: Kind, found: Sequence[Column]) -> dict[str, Column]:
    """Field to column: by name, the best-known name first, then by what the cells look like."""
    known = dictionary(kind)
    places: dict[str, int] = {}
    fields: dict[str, Column] = {}
    for column in found:
        field_name, place = known.get(plain(column.name), (None, 0))
        if field_name is None:
            continue
        if field_name not in fields or place < places[field_name]:
            fields[field_name], places[field_name] = column, place
    for column in found:
        shape = shape_of(column.texts)
        field_name = _BY_SHAPE.get(shape or "")
        is_free = field_name in targets(kind) and field_name not in fields
        if is_free and column not in fields.values() and not is_personal(column.name):
            fields[str(field_name)] = column
    return fields


def draft(seen: Seen, kind: Kind, file_name: str) -> Draft:
    """Fill a mapping for a kind as far as the file tells."""
    found = seen.column_values()
    made = Draft(kind)
    fields = matched(kind, found)
    if kind == "ad_report" and "campaign_id" not in fields and "campaign_name" in fields:
        fields["campaign_id"] = fields["campaign_name"]
        made.field_doubts["campaign_id"] = (
            "no column holds the campaign's id: its name stands for it, and will not meet ids from "
            "an API or from click tags"
        )
    _settings(made, seen, kind, fields)
    _ignored_rows(made, seen, fields)
    order = order_of((each.values for each in found), day_first=_is_day_first(seen, made))
    for name, column in fields.items():
        made.fields[name] = _rule(made, kind, name, column, order)
    _constants(made, seen, file_name)
    _one_day(made, found)
    _sort_the_rest(made, found, fields)
    _find_missing(made)
    return made


def _settings(made: Draft, seen: Seen, kind: Kind, fields: Mapping[str, Column]) -> None:
    typed = {
        name: column
        for name, column in fields.items()
        if targets(kind)[name].type in _NUMBERS and not column.has_moments
    }
    style = number_style(typed.values())
    if style.decimal == "," or style.thousands == ".":
        made.settings["decimal"] = ","
    if style.thousands:
        made.settings["thousands"] = style.thousands
    if style.marks:
        made.settings["number_marks"] = list(style.marks)
    if style.has_parentheses:
        made.settings["negative_in_parentheses"] = True
    made.doubts += style.doubts
    nulls = {
        text
        for column in fields.values()
        for _, value in column.values
        if (text := str(value).strip()) in NULLS
    }
    if nulls:
        made.settings["null_tokens"] = sorted(nulls)


def _ignored_rows(made: Draft, seen: Seen, fields: Mapping[str, Column]) -> None:
    """Sums have no day or id; where that does not tell them, their first words do."""
    key = next((fields[name].name for name in _KEYS if name in fields), None)
    place = seen.columns.index(key) if key else 0
    begin_with, empty = [], []
    for start, cells in seen.sums:
        has_blank = 0 < place < len(cells) and not str(cells[place] or "").strip()
        if start in TOTALS and has_blank and key:
            empty.append(key)
            continue
        begin_with.append(start)
        if start in TOTALS and place > 0 and len(cells) > 1 and start[-1].isalpha():
            made.doubts.append(
                f"ignore_rows: rows that begin with {start!r} are left out, so nothing in the "
                "first column may be called so"
            )
    found = {"begin_with": begin_with, "empty": empty}
    rows = {name: list(dict.fromkeys(each)) for name, each in found.items() if each}
    if rows:
        made.settings["ignore_rows"] = rows


def _is_day_first(seen: Seen, made: Draft) -> bool:
    """English exports with a point as decimal sign put the month first, most others the day."""
    is_continental = seen.delimiter == ";" or made.settings.get("decimal") == ","
    foreign = sum(not column.isascii() for column in seen.columns)
    return is_continental or foreign > 0


def _rule(made: Draft, kind: Kind, name: str, column: Column, order: Order) -> dict[str, Any]:
    rule: dict[str, Any] = {"column": column.name}
    kind_of = targets(kind)[name].type
    if kind_of in ("DATE", "TIMESTAMP"):
        _date_rule(made, rule, name, column, kind_of == "DATE", order)
    elif kind_of == "BOOL":
        values = {text.casefold() for text in column.texts}
        foreign = values - {"true", "false", "t", "f", "yes", "no", "y", "n", "1", "0"}
        known = {text: text in TRUE for text in sorted(foreign) if text in TRUE | FALSE}
        if known:
            rule["values"] = known
        if foreign - known.keys():
            made.field_doubts[name] = (
                f"{len(foreign - known.keys())} other values are neither yes nor no"
            )
    if name == "cost_micros":
        rule["multiply"] = 1_000_000
        currency = currency_in(column.name)
        if currency:
            rule["column"] = column.name.replace(currency, CURRENCY_PLACEHOLDER)
    if name == "account_id" and any("-" in text for text in column.texts):
        rule["remove"] = "-"
    if name == "crm_record_id" and any(";" in text for text in column.texts):
        rule["first_of"] = ";"
        made.field_doubts[name] = "several ids in one cell: the first is taken"
    if kind_of == "STRING" and _is_id(name) and shape_of(column.texts) in PERSONAL_SHAPES:
        made.field_doubts[name] = (
            "the ids look like addresses or numbers of people, and ids are not keyed"
        )
    return rule


def _date_rule(
    made: Draft, rule: dict[str, Any], name: str, column: Column, is_day: bool, order: Order
) -> None:
    dates = read_dates(column.values, is_day=is_day, order=order)
    if dates is None:
        made.field_doubts[name] = "the cells are written in no way of dates that is known here"
        return
    if dates.format:
        rule["format"] = dates.format
    if dates.note:
        (made.notes if dates.is_certain else made.field_doubts)[name] = dates.note
    is_local = not (is_day or dates.has_offset or column.has_moments)
    if is_local and TIMES_WITHOUT_OFFSET not in made.doubts:
        made.doubts.append(TIMES_WITHOUT_OFFSET)


def _is_id(name: str) -> bool:
    return name.endswith("_id")


def _constants(made: Draft, seen: Seen, file_name: str) -> None:
    """Values that no column holds, where the file's name or its columns tell."""
    has = made.fields
    if made.kind == "ad_report":
        told = f" {' '.join(map(plain, (file_name, seen.titles, *seen.columns)))} "
        platform = next(
            (
                name
                for name, signs in PLATFORMS.items()
                if any(f" {sign} " in told for sign in signs)
            ),
            None,
        )
        if platform:
            made.constants["platform"] = platform
            made.doubts.append(f"platform: {platform}, told by the file's name, title or columns")
        if "pixel_conversions" in has:
            by_time = "by conv time" in plain(has["pixel_conversions"]["column"])
            made.constants["claim_basis"] = "conversion_date" if by_time else "click_date"
            if "conversion_action" not in has:
                made.constants["conversion_action"] = "all"
            made.doubts.append(
                "claim_basis and conversion_action: under which day a conversion is filed, and "
                "what was converted, only the platform knows"
            )
        is_told = "currency_code" in has or CURRENCY_PLACEHOLDER in str(has.get("cost_micros"))
        if "cost_micros" in has and not is_told:
            made.doubts.append("currency_code: no column tells it; the profile's is assumed")
    elif made.kind.startswith("crm_"):
        made.constants["crm"] = "own"
        made.doubts.append("crm: a name of yours for this CRM, the same in all its mappings")
    elif made.kind == "tag_events" and "observer" not in has:
        made.constants["observer"] = "site_tag"
        made.doubts.append("observer: who saw them: site_tag, server_log or call_tracking")
    if "click_id" in has and "click_id_type" not in has:
        _click_id_type(made, seen)


def _one_day(made: Draft, found: Sequence[Column]) -> None:
    """A report that tells first and last day of each row may tell of more than one day."""
    used = made.fields.get("platform_date", {}).get("column")
    first = next((column for column in found if column.name == used), None)
    last = next((column for column in found if is_period_end(column.name)), None)
    if first is None or last is None or not is_period_start(first.name):
        return
    made.settings["one_day"] = {first.name: last.name}
    ends = dict(last.values)
    longer = sum(ends.get(row, value) != value for row, value in first.values)
    if longer:
        made.doubts.append(
            f"one_day: {longer:,} of the rows tell of more than one day and are set aside: break "
            "the report down by day"
        )


def _click_id_type(made: Draft, seen: Seen) -> None:
    name = made.fields["click_id"]["column"]
    column = next(each for each in seen.column_values() if each.name == name)
    shape = shape_of(column.texts)
    for kind, (own, platform, ids) in _CLICK_ID_NAMES.items():
        if own in plain(name) or platform in plain(name) or (ids and ids == shape):
            made.constants["click_id_type"] = kind
            return
    made.field_doubts["click_id"] = (
        "which platform's click ids these are is not told: click_id_type"
    )


def _sort_the_rest(made: Draft, found: Sequence[Column], fields: Mapping[str, Column]) -> None:
    used = {column.name for column in fields.values()}
    for column in found:
        if not column.name or column.name in used:
            continue
        if is_personal(column.name):
            made.dropped[column.name] = "personal"
        elif looks_personal(column.texts) or shape_of(column.texts) in PERSONAL_SHAPES:
            made.dropped[column.name] = "its cells hold addresses or numbers of people"
        else:
            made.kept[column.name] = told_shape(column)


def _find_missing(made: Draft) -> None:
    filled = {*made.fields, *made.constants}
    if made.kind == "ad_report":
        feeds = {
            "ad_delivery": any(name in filled for name in DELIVERY_MEASURES),
            "pixel_claims": "pixel_conversions" in filled,
        }
        if not any(feeds.values()):
            made.missing["cost_micros"] = "a column with cost, impressions, clicks or conversions"
        tables = [table for table, is_fed in feeds.items() if is_fed] or ["ad_delivery"]
    else:
        tables = list(TABLES[made.kind])
    for table in tables:
        for name, target in columns(table).items():
            if target.required and name not in filled:
                made.missing[name] = "a column under fields, or a fixed value under constants"
