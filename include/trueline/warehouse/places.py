"""How the names in a query become the names of where its rows really lie."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

from trueline.model.catalog import load_catalog

#: (layer, table) → ``dataset.table``.
Place = Callable[[str, str], str]
#: What one run keeps for itself: ``scratch.<name>``.
SCRATCH = re.compile(r"(?<![\w.`@])scratch\.(\w+)")


def with_places(sql: str, place: Place) -> str:
    """Put the real name in the place of every ``layer.table``."""
    return _table_names().sub(lambda match: place(match[1], match[2]), sql)


@cache
def _table_names() -> re.Pattern[str]:
    keys = list(load_catalog())
    layers = "|".join(sorted({key.split(".")[0] for key in keys}))
    names = "|".join(sorted({key.split(".")[1] for key in keys}, key=len, reverse=True))
    return re.compile(rf"(?<![\w.`@])({layers})\.({names})\b")
