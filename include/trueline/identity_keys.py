"""Personal identifiers, normalised and keyed: what the warehouse stores instead of clear values.

A keyed hash (HMAC) cannot be reversed by hashing a list of addresses, as a plain SHA-256 can.
Normalisation here serves *our own* matching; destinations hash by their own rules when they send.
"""

from __future__ import annotations

import hashlib
import ipaddress
import os
import re
import secrets
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import phonenumbers

from trueline.errors import ConfigurationError
from trueline.phone_shortcut import plain_e164

KEY_VARIABLE = "TRUELINE_IDENTITY_KEY"
KEY_FILE_VARIABLE = "TRUELINE_IDENTITY_KEY_FILE"
MINIMUM_KEY_BYTES = 32

# Blanks that spreadsheets and web forms leave around values and nobody sees.
_INVISIBLE = dict.fromkeys(map(ord, "\u00a0\u200b\u200c\u200d\u2060\ufeff\u00ad\u200e\u200f"))
_EMAIL = re.compile(r"[^\s@,;<>\"]{1,64}@([^\s@,;<>\"]{1,253})")
# The same for addresses as nearly all are written: nothing to take away.
_PLAIN_EMAIL = re.compile(r"[A-Za-z0-9._%+\-]{1,64}@([A-Za-z0-9.\-]{1,253})")
_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
_SCIENTIFIC = re.compile(r"\d(?:[.,]\d+)?e\+\d+", re.IGNORECASE)


def normalise_email(value: str | None) -> str | None:
    """Lower case, without blanks and ``mailto:``; None where it is not exactly one address.

    Dots and ``+tags`` stay: whether they matter is the mail provider's business, and gluing two
    people together is worse than missing one match.
    """
    if not value:
        return None
    found = _PLAIN_EMAIL.fullmatch(value)
    if found:
        text = value.lower()
    else:
        text = value.translate(_INVISIBLE).strip().lower().removeprefix("mailto:").strip()
        found = _EMAIL.fullmatch(text)
    if not found:
        return None
    domain = _ascii_domain(found[1].lower())
    return f"{text[: found.start(1)]}{domain}" if domain else None


@lru_cache(maxsize=50_000)
def _ascii_domain(domain: str) -> str | None:
    try:
        text = domain.rstrip(".").encode("idna").decode("ascii").lower()
    except UnicodeError:
        return None
    labels = text.split(".")
    whole = len(labels) >= 2 and all(_LABEL.fullmatch(label) for label in labels)
    return text if whole else None


def email_domain(value: str | None) -> str | None:
    """The domain of an address, in ASCII; None where there is none."""
    address = normalise_email(value)
    return address.rpartition("@")[2] if address else None


def email_mailbox(value: str | None) -> str | None:
    """The part of an address before the ``@``, without a ``+tag``; None where there is none.

    It tells what a mailbox is for, and ``info+web@`` is for the same as ``info@``. Two people are
    never the same for it, so that here, unlike in an address, the tag may go.
    """
    address = normalise_email(value)
    return _untagged(address.rpartition("@")[0]) if address else None


def _untagged(mailbox: str) -> str:
    name, _, _ = mailbox.partition("+")
    return name or mailbox


def normalise_phone(value: str | None, region: str | None = None) -> str | None:
    """E.164 with ``+``; None where the number cannot exist.

    Args:
        value: As typed.
        region: Country (``DE``) for a number without country code; without it such a number is
            None, because a guessed country makes a wrong key.
    """
    if not value:
        return None
    text = value.translate(_INVISIBLE).strip().removeprefix("tel:")
    plain = plain_e164(text, region)
    if plain:
        return plain
    if _SCIENTIFIC.fullmatch(text):  # a spreadsheet has rounded the digits away
        return None
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    number.extension = None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _normalise_ip(value: str | None) -> str | None:
    try:
        return str(ipaddress.ip_address((value or "").strip()))
    except ValueError:
        return None


class IdentityKeys:
    """Makes keys from clear identifiers: HMAC-SHA-256, hex, with a prefix for each purpose.

    Args:
        secret: At least 32 bytes.
        region: Country of phone numbers that come without a country code.
    """

    def __init__(self, secret: bytes, region: str | None = None) -> None:
        if len(secret) < MINIMUM_KEY_BYTES:
            raise _too_short("The identity key")
        self._region = region
        # HMAC's two hashes, begun with the secret once: three times as fast as anew for each value.
        block = (hashlib.sha256(secret).digest() if len(secret) > 64 else secret).ljust(64, b"\0")
        self._inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block))
        self._outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in block))

    def __repr__(self) -> str:
        return f"IdentityKeys(key_id={self.key_id!r})"

    @property
    def key_id(self) -> str:
        """Tells which key made a hash, without telling the key."""
        return self._keyed("key-id", "trueline")[:12]

    def email(self, value: str | None) -> str | None:
        """Key of an address; None where it is not one."""
        return self._optional("email", normalise_email(value))

    def phone(self, value: str | None) -> str | None:
        """Key of a phone number; None where it cannot exist."""
        return self._optional("phone", normalise_phone(value, self._region))

    def of_emails(
        self, values: Sequence[str | None]
    ) -> tuple[list[str | None], list[str | None], list[str | None], list[str | None]]:
        """Of many addresses at once: each one normalised, its key, its domain's and mailbox's."""
        domains: dict[str, str] = {}
        mailboxes: dict[str, str] = {}
        found: list[str | None] = []
        keys: list[str | None] = []
        domain_keys: list[str | None] = []
        mailbox_keys: list[str | None] = []
        for value in values:
            address = normalise_email(value)
            found.append(address)
            if address is None:
                keys.append(None)
                domain_keys.append(self.domain(value))
                mailbox_keys.append(None)
                continue
            local, _, domain = address.rpartition("@")
            mailbox = _untagged(local)
            if domain not in domains:
                domains[domain] = self._keyed("domain", domain)
            if mailbox not in mailboxes:
                mailboxes[mailbox] = self._keyed("mailbox", mailbox)
            keys.append(self._keyed("email", address))
            domain_keys.append(domains[domain])
            mailbox_keys.append(mailboxes[mailbox])
        return found, keys, domain_keys, mailbox_keys

    def of_phones(self, values: Sequence[str | None]) -> tuple[list[str | None], list[str | None]]:
        """Of many phone numbers at once: each one normalised, and its key."""
        found = [normalise_phone(value, self._region) for value in values]
        return found, [self._optional("phone", number) for number in found]

    def domain(self, value: str | None) -> str | None:
        """Key of a domain, given as ``example.com`` or inside an address."""
        text = (value or "").translate(_INVISIBLE).strip().lower()
        return self._optional(
            "domain", email_domain(text) if "@" in text else _ascii_domain(text) if text else None
        )

    def mailbox(self, value: str | None) -> str | None:
        """Key of what stands before the ``@``, given as ``info`` or inside an address."""
        text = (value or "").translate(_INVISIBLE).strip().lower()
        return self._optional(
            "mailbox", email_mailbox(text) if "@" in text else _untagged(text) or None
        )

    def ip(self, value: str | None) -> str | None:
        """Key of an IP address in its canonical form; None where it is not one."""
        return self._optional("ip", _normalise_ip(value))

    def _optional(self, purpose: str, value: str | None) -> str | None:
        return None if value is None else self._keyed(purpose, value)

    def _keyed(self, purpose: str, value: str) -> str:
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(f"{purpose}:{value}".encode())
        outer.update(inner.digest())
        return outer.hexdigest()


def load_identity_key(key_file: Path | None = None) -> bytes:
    """The secret from ``TRUELINE_IDENTITY_KEY``, or from a file. There is no default.

    Args:
        key_file: The profile's key file; ``TRUELINE_IDENTITY_KEY_FILE`` goes before it.

    Raises:
        ConfigurationError: there is none, or it is shorter than 32 bytes.
    """
    text = os.environ.get(KEY_VARIABLE)
    if text is not None:
        return _checked(text.strip().encode(), KEY_VARIABLE)
    named = os.environ.get(KEY_FILE_VARIABLE)
    path = Path(named) if named else key_file
    if path is None:
        raise ConfigurationError(
            "There is no identity key, so personal data cannot be keyed.",
            fix=f"Set {KEY_VARIABLE} to a secret of at least {MINIMUM_KEY_BYTES} characters, or "
            f"{KEY_FILE_VARIABLE} to a file that holds one. Keep it: another key makes everybody "
            "a stranger.",
        )
    try:
        secret = path.read_bytes().strip()
    except FileNotFoundError:
        raise ConfigurationError(
            "The identity key's file does not exist.",
            where=str(path),
            fix=f"Create it once (at least {MINIMUM_KEY_BYTES} random characters, mode 0600), or "
            f"point {KEY_FILE_VARIABLE} at the one you have.",
        ) from None
    except OSError as error:
        raise ConfigurationError(
            f"The identity key's file cannot be read ({type(error).__name__}).",
            where=str(path),
            fix="Let the user that runs trueline read it (mode 0600, same owner).",
        ) from None
    return _checked(secret, str(path))


def create_identity_key_file(path: Path) -> None:
    """Write a new random key, readable by its owner alone. An existing file is left as it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(MINIMUM_KEY_BYTES) + "\n")


def _checked(secret: bytes, where: str) -> bytes:
    if len(secret) < MINIMUM_KEY_BYTES:
        raise _too_short("The identity key", where)
    return secret


def _too_short(what: str, where: str = "") -> ConfigurationError:
    return ConfigurationError(
        f"{what} is shorter than {MINIMUM_KEY_BYTES} bytes: it could be guessed.",
        where=where,
        fix="Use a random one, for example 64 characters from `openssl rand -hex 32`.",
    )
