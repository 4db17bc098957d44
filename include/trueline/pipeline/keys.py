"""The keyed hashing of personal values, asked for its secret only when there is one to key."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from trueline.identity_keys import IdentityKeys, load_identity_key
from trueline.settings.profile import Profile


class ProfileKeys:
    """Keys under the profile's secret. Data without personal values needs no secret at all."""

    def __init__(self, profile: Profile) -> None:
        self.phone_region = profile.settings.phone_region
        key_file = profile.settings.identity_key_file
        self._key_file = profile.resolve(key_file) if key_file else None

    @cached_property
    def _keys(self) -> IdentityKeys:
        return IdentityKeys(load_identity_key(self._key_file), region=self.phone_region)

    @property
    def key_id(self) -> str:
        """Tells which secret it is, without telling the secret."""
        return self._keys.key_id

    def of_emails(
        self, values: Sequence[str | None]
    ) -> tuple[list[str | None], list[str | None], list[str | None], list[str | None]]:
        """Addresses normalised, their keys, and the keys of their domains and mailboxes."""
        return self._keys.of_emails(values)

    def of_phones(self, values: Sequence[str | None]) -> tuple[list[str | None], list[str | None]]:
        """Phone numbers normalised, and their keys."""
        return self._keys.of_phones(values)

    def email(self, value: str) -> str | None:
        return self._keys.email(value)

    def phone(self, value: str) -> str | None:
        return self._keys.phone(value)

    def domain(self, value: str) -> str | None:
        """Key of a domain, given by itself or inside an address."""
        return self._keys.domain(value)

    def mailbox(self, value: str) -> str | None:
        """Key of what stands before the ``@``, given by itself or inside an address."""
        return self._keys.mailbox(value)

    def ip(self, value: str) -> str | None:
        return self._keys.ip(value)
