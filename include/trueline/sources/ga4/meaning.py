"""What the queries are asked with, and what tells one reading of an export from another."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from trueline.sources.ga4.export import EXPORT_COLUMNS, queries
from trueline.sources.settings import Ga4Settings

# The same addresses and numbers that trueline.redaction replaces, in the words of RE2, which both
# engines speak and which cannot look around.
E_MAIL_ADDRESS = r"[A-Za-z0-9._%+'\-]+(?:@|%40)[A-Za-z0-9\-]+(?:\.[A-Za-z0-9\-]+)+"
_PHONES = (
    r"\+[0-9](?:[ ().\-/]{0,3}[0-9]){6,14}",
    r"(?:^|[^A-Za-z0-9_.:\-+])(?:\([0-9]{2,5}\)[ \-]?|0[0-9]{1,5}[ /\-])[0-9]{2,}",
    r"(?:^|[^A-Za-z0-9_.:\-+])[0-9]{3}[-. ][0-9]{3}[-. ][0-9]{4}(?:$|[^A-Za-z0-9_\-:])",
)
PERSONAL_VALUE = "|".join(("@", *_PHONES))


def parameters(settings: Ga4Settings) -> dict[str, str]:
    """Values of the queries' parameters, all STRING."""
    return {
        "submission_events": ",".join(settings.submission_events),
        "personal_value": PERSONAL_VALUE,
        "e_mail_address": E_MAIL_ADDRESS,
    }


def tables(settings: Ga4Settings) -> tuple[str, ...]:
    """The raw tables that the settings ask for."""
    return ("tag_events", "touches") if settings.touches else ("tag_events",)


def fingerprint(settings: Ga4Settings) -> str:
    """Changes when the same export would be read in another way."""
    texts = queries()
    how: Mapping[str, object] = {
        "columns": EXPORT_COLUMNS,
        "evidence": texts.evidence,
        "queries": {table: texts.by_table[table] for table in tables(settings)},
        "parameters": parameters(settings),
    }
    return hashlib.sha256(json.dumps(how, sort_keys=True).encode()).hexdigest()
