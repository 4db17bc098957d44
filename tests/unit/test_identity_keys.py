"""The shortcut for plain phone numbers never says anything that the library does not say."""

from __future__ import annotations

import hashlib
import hmac
import random

import phonenumbers
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from trueline.identity_keys import IdentityKeys, normalise_email, normalise_phone
from trueline.phone_shortcut import plain_e164

KINDS = (*range(5), 6, 7, 9, 10)  # as phonenumbers.PhoneNumberType counts them


def by_the_library(text: str, region: str | None) -> str | None:
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    number.extension = None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def agrees(text: str, region: str | None) -> bool:
    """Whether the shortcut knew the number; if it did, it must be right."""
    found = plain_e164(text, region)
    if found is not None:
        assert found == by_the_library(text, region), (text, region)
    return found is not None


@pytest.mark.parametrize("first", sorted({region[0] for region in phonenumbers.SUPPORTED_REGIONS}))
def test_every_country_kind_and_way_of_writing(first: str) -> None:
    chance = random.Random(first)
    known = 0
    for region in sorted(each for each in phonenumbers.SUPPORTED_REGIONS if each[0] == first):
        for kind in KINDS:
            number = phonenumbers.example_number_for_type(region, kind)
            if number is None:
                continue
            for form in (0, 1, 2):
                text = phonenumbers.format_number(number, form)
                known += agrees(text, region)
                for _ in range(6):
                    digits = [*text]
                    for place in chance.sample(range(1, len(digits)), min(3, len(digits) - 1)):
                        if digits[place].isdigit():
                            digits[place] = chance.choice("0123456789")
                    if chance.random() < 0.3:
                        digits.insert(chance.randrange(1, len(digits)), chance.choice("0123456789"))
                    known += agrees("".join(digits), chance.choice([region, "DE", "GB", None]))
    assert known > 0


@settings(deadline=None, max_examples=2_000)
@given(
    st.from_regex(r"(\+|0|00)?[0-9][0-9 \-]{3,16}[0-9]", fullmatch=True),
    st.sampled_from(["DE", "AT", "US", "GB", "IT", "FR", "BR", "AR", "MX", "RU", "AU", None]),
)
@example("+49 0 30 23125000", "DE")
@example("0049 30 23125000", "DE")
@example("0800 1234567", "GB")
@example("+39 02 12345678", None)
def test_any_digits(text: str, region: str | None) -> None:
    agrees(text, region)


def test_the_usual_numbers_take_the_shortcut() -> None:
    for text in ("+493023125000", "+49 30 23125000", "030 23125000", "0171-1234567"):
        assert plain_e164(text, "DE") == normalise_phone(text, "DE") is not None
    assert plain_e164("+1 212 555 2368", None) == "+12125552368"
    assert plain_e164("(030) 23125000", "DE") is None
    assert normalise_phone("(030) 23125000", "DE") == "+493023125000"


@given(st.binary(min_size=32, max_size=150), st.emails())
def test_a_key_is_an_hmac(secret: bytes, address: str) -> None:
    found = normalise_email(address)
    if found is not None:
        expected = hmac.new(secret, f"email:{found}".encode(), hashlib.sha256).hexdigest()
        assert IdentityKeys(secret).email(address) == expected


def test_a_mailbox_is_the_same_in_every_house_and_with_any_tag() -> None:
    keys = IdentityKeys(b"k" * 40)
    told = ["info@house.example", " INFO+Web@barn.example", "mailto:info@mill.example", "n/a", None]
    assert keys.of_emails(told)[3] == [keys.mailbox("info")] * 3 + [None] * 2
    assert keys.mailbox(" Info ") == keys.mailbox("info+web@house.example") == keys.mailbox("info")
    # A dot makes another mailbox; a tag with nothing before it is all there is.
    assert keys.mailbox("in.fo@house.example") != keys.mailbox("info")
    assert keys.mailbox("+web@house.example") == keys.mailbox("+web") != keys.mailbox("web")
    assert keys.mailbox("") is keys.mailbox("info@") is keys.mailbox(None) is None
    # The same text under another purpose is another key.
    assert keys.mailbox("house.example") != keys.domain("house.example")


@settings(deadline=None)
@given(st.lists(st.one_of(st.none(), st.emails(), st.text(max_size=20)), max_size=6))
def test_keys_of_many_are_the_keys_of_each(values: list[str | None]) -> None:
    keys = IdentityKeys(b"k" * 40, "DE")
    assert keys.of_emails(values) == (
        [normalise_email(value) for value in values],
        [keys.email(value) for value in values],
        [keys.domain(value) for value in values],
        [keys.mailbox(value) if normalise_email(value) else None for value in values],
    )
    assert keys.of_phones(values) == (
        [normalise_phone(value, "DE") for value in values],
        [keys.phone(value) for value in values],
    )
