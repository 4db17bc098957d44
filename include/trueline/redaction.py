"""Takes personal values and secrets out of text that people or machines will keep: logs, errors.

The patterns are narrow on purpose: dates, times, run ids, account numbers and counts stay readable.
"""

from __future__ import annotations

import logging
import re

_EMAIL = re.compile(r"[A-Za-z0-9._%+'\-]+(?:@|%40)[A-Za-z0-9\-]+(?:\.[A-Za-z0-9\-]+)+")
_BEARER = re.compile(r"\b(bearer)\s+[A-Za-z0-9._~+/=\-]{6,}", re.IGNORECASE)
# Of an address that ends so, what follows is the message: "POST .../oauth/token: The grant ...".
_SECRET = re.compile(
    r"\b(?!(?<=/)token: )"
    r"(access_token|refresh_token|client_secret|developer[-_]token|api[-_]?key|token|password)"
    r"""(["']?\s*[=:]\s*["']?)[^\s&"',;}]+""",
    re.IGNORECASE,
)
_CLICK_ID = re.compile(
    r"\b(gclid|gbraid|wbraid|fbclid|msclkid|ttclid|li_fat_id|fbc|fbp)"
    r"""(["']?\s*[=:]\s*["']?)[A-Za-z0-9._\-]+""",
    re.IGNORECASE,
)
# Bare Google and Meta click ids are long and begin in a known way.
_BARE_CLICK_ID = re.compile(r"\b(?:(?:Cj|EAIaIQ)[A-Za-z0-9_\-]{30,}|IwAR[A-Za-z0-9_\-]{20,})")
_INTERNATIONAL_PHONE = re.compile(r"(?<![\w+])\+\d(?:[ ().\-/]{0,3}\d){6,14}(?!\d)")
# A national number is told from a count by its leading zero or bracket and its grouping: dates
# never start so, and run ids and account numbers are not grouped by blanks or slashes.
_NATIONAL_PHONE = re.compile(
    r"(?<![\w.:\-+])(?:\(\d{2,5}\)[ \-]?|0\d{1,5}[ /\-])\d{2,}(?:[ \-]?\d{2,}){0,4}(?![\w:])"
)
_US_PHONE = re.compile(r"(?<![\w.:\-+])\d{3}[-. ]\d{3}[-. ]\d{4}(?![\w\-:])")


def redact_addresses(text: str) -> str:
    """Replace e-mail addresses only."""
    return _EMAIL.sub("[e-mail]", text)


def redact(text: str) -> str:
    """Replace e-mail addresses, phone-like numbers, click ids and secrets by what they were."""
    text = _BEARER.sub(r"\1 [secret]", text)
    text = _SECRET.sub(r"\1\2[secret]", text)
    text = _CLICK_ID.sub(r"\1\2[click id]", text)
    text = _BARE_CLICK_ID.sub("[click id]", text)
    text = redact_addresses(text)
    for pattern in (_INTERNATIONAL_PHONE, _NATIONAL_PHONE, _US_PHONE):
        text = pattern.sub("[phone]", text)
    return text


class RedactingFilter(logging.Filter):
    """Redacts a record's finished message, and the text of an exception that goes with it."""

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        clean = redact(message)
        if clean != message:
            record.msg, record.args = clean, None
        if record.exc_info and not record.exc_text:
            record.exc_text = redact(logging.Formatter().formatException(record.exc_info))
        elif record.exc_text:
            record.exc_text = redact(record.exc_text)
        return True
