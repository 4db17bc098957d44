"""Local times to UTC a column at a time, by the same rules as Python's ``zoneinfo``.

Arrow's own conversion takes the clocks' skipped hour differently, and on some systems it does not
know of summer time in the years to come.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Moments = npt.NDArray[np.int64]
_EPOCH = datetime(1970, 1, 1)
_DAY = 86_400
_MICROS = 1_000_000


def to_utc(local: Any, time_zone: str) -> Any:
    """Arrow timestamps without zone, as clocks there show them, to UTC.

    An hour that comes twice is the earlier one; an hour that the clocks skip is shifted forward.
    """
    micros = local.cast(pa.int64())
    if micros.null_count == len(micros):
        return pa.nulls(len(local), pa.timestamp("us", "UTC"))
    span = pc.min_max(micros)
    first = span["min"].as_py() // _MICROS // _DAY - 1
    last = span["max"].as_py() // _MICROS // _DAY + 2
    begins, offsets = _offsets(time_zone, first, last)
    plain = pc.fill_null(micros, span["min"]).to_numpy()
    shift = offsets[np.searchsorted(begins, plain, side="right") - 1]
    moved = pa.array(plain - shift, mask=pc.is_null(micros).to_numpy(zero_copy_only=False))
    return moved.cast(pa.timestamp("us")).cast(pa.timestamp("us", "UTC"))


@lru_cache(maxsize=64)
def _offsets(time_zone: str, first: int, last: int) -> tuple[Moments, Moments]:
    """From which local moment on (microseconds) which offset holds, between two days."""
    zone = ZoneInfo(time_zone)
    begins, offsets = [first * _DAY], [_offset(zone, first * _DAY)]
    for day in range(first, last):
        if _offset(zone, (day + 1) * _DAY) == offsets[-1]:
            continue
        low, high = day * _DAY, (day + 1) * _DAY
        while high - low > 1:
            middle = (low + high) // 2
            if _offset(zone, middle) == offsets[-1]:
                low = middle
            else:
                high = middle
        begins.append(high)
        offsets.append(_offset(zone, high))
    return np.array(begins) * _MICROS, np.array(offsets) * _MICROS


def _offset(zone: ZoneInfo, local: int) -> int:
    shown = (_EPOCH + timedelta(seconds=local)).replace(tzinfo=zone, fold=0)
    offset = shown.utcoffset()
    assert offset is not None
    return int(offset.total_seconds())
