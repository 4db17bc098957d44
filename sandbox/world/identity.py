"""Invented people: names, addresses under reserved domains, numbers reserved for fiction.

Phone numbers come from the ranges that regulators keep free for film and theatre: the German
Bundesnetzagentur's (Berlin 23125, Frankfurt 90009, Hamburg 66969, Cologne 4710, Munich 99998) and
UK Ofcom's 496 0xxx and 7946 0xxx ones. Once all are given away, people simply have no phone: a
shared number would glue strangers together.
"""

from __future__ import annotations

import random

from sandbox.world.model import Person

FIRST = (
    "Anna", "Ben", "Carla", "David", "Elif", "Felix", "Greta", "Hannes", "Ines", "Jonas", "Katja",
    "Lukas", "Mila", "Nils", "Olga", "Paul", "Rosa", "Stefan", "Tara", "Uwe", "Vera", "Wanda",
    "Yusuf", "Zoe", "Amara", "Bjarne", "Chiara", "Dario", "Edda", "Finn", "Gesa", "Henrik",
)  # fmt: skip
LAST = (
    "Albers", "Brandt", "Conrad", "Dietz", "Ebert", "Falk", "Gruber", "Hartwig", "Ihle", "Jansen",
    "Kessler", "Lorenz", "Marten", "Neuhaus", "Ott", "Petersen", "Quandt", "Reuter", "Seidel",
    "Thoma", "Ulrich", "Voss", "Wendt", "Yilmaz", "Zander", "Arslan", "Bergmann", "Demir",
    "Engel", "Fuchs", "Gerlach", "Huber",
)  # fmt: skip
FIRMS = (
    "nordlager", "rheinfracht", "alpkuehl", "hafenbau", "waldmoebel", "stadtwerk-muster",
    "backhaus", "metallbau-sud", "gartenhof", "papierfabrik", "kornspeicher", "druckhaus",
    "elbtextil", "bergmolkerei", "seehotel", "talbrauerei",
)  # fmt: skip
PRIVATE_DOMAINS = ("example.com", "example.org", "example.net")
SEGMENTS = ("logistics", "manufacturing", "retail", "agriculture", "hospitality", "public sector")

BROWSERS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/141.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.5 Safari/605.1.15",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/141.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0",
)

_GERMAN = ("+493023125", "+496990009", "+494066969", "+492214710", "+498999998")
_BRITISH = tuple(f"+44{area}4960" for area in
                 (113, 114, 116, 117, 118, 121, 131, 141, 151, 161, 191))  # fmt: skip
_PREFIXES = (*_GERMAN, *_BRITISH, "+442079460")
PHONES = len(_PREFIXES) * 1000


def phone_number(number: int) -> str:
    """The number-th fictional phone in E.164, empty once all are given away."""
    if number >= PHONES:
        return ""
    return f"{_PREFIXES[number % len(_PREFIXES)]}{(number // len(_PREFIXES)) * 7 % 1000:03d}"


def spoken_phone(rng: random.Random, phone: str) -> str:
    """The number as people type it: with spaces, a national zero, or plain."""
    if not phone or rng.random() < 0.5:
        return phone
    if phone.startswith("+49"):
        return f"0{phone[3:6]} {phone[6:]}" if rng.random() < 0.6 else f"+49 {phone[3:]}"
    return f"{phone[:3]} {phone[3:]}"


def client_id(rng: random.Random) -> str:
    """A first-party browser id in the shape of analytics cookies."""
    return f"{rng.getrandbits(31)}.{rng.getrandbits(31)}"


class People:
    """Hands out persons with unique numbers, addresses and phones."""

    def __init__(self) -> None:
        self.count = 0

    def make(self, rng: random.Random, source: str, *, invented: bool = False) -> Person:
        """A new person. ``invented`` ones are the fake entries that broad campaigns attract."""
        number = self.count
        self.count += 1
        first, last = rng.choice(FIRST), rng.choice(LAST)
        private = rng.random() < (0.85 if invented else 0.25)
        if private:
            domain = rng.choice(PRIVATE_DOMAINS)
            company = ""
        else:
            company = f"{rng.choice(FIRMS)}-{number % 97}"
            domain = f"{company}.example"
        devices = 1 if rng.random() < 0.66 else (2 if rng.random() < 0.8 else 3)
        return Person(
            number=number,
            source=source,
            first_name=first,
            last_name=last,
            email=f"{first}.{last}{number}@{domain}".lower(),
            phone=phone_number(number) if not invented and rng.random() < 0.75 else "",
            company=company,
            clients=tuple(client_id(rng) for _ in range(devices)),
            ip=f"2001:db8:{rng.getrandbits(16):x}:{rng.getrandbits(16):x}::{number % 65535 + 1:x}",
            user_agent=rng.choice(BROWSERS),
            is_invented=invented,
        )
