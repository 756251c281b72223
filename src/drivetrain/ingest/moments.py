"""Values that grow, as text of a source and as exact numbers that can be compared."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation

from drivetrain.core.schema import MomentFormat

NEVER = Decimal("-Infinity")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def moment_of(value: str, form: MomentFormat) -> Decimal:
    """A number, or seconds since 1970; a time that is written out is read as ISO 8601, in UTC where it has no zone.

    Raises ValueError for what is neither.
    """
    if form == "number" or (form != "iso" and value[4:5] != "-"):
        try:
            number = Decimal(value)
        except InvalidOperation:
            raise ValueError(value) from None
        if not number.is_finite():
            raise ValueError(value)
        return number / 1000 if form == "unix_ms" else number
    when = datetime.fromisoformat(value)
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return Decimal((when - _EPOCH) // _MICROSECOND).scaleb(-6)


def text_of(moment: Decimal, form: MomentFormat) -> str:
    """The moment as a service that writes in this format reads it."""
    if form == "iso":
        return time_of(moment).isoformat().replace("+00:00", "Z")
    return str(int(moment * 1000) if form == "unix_ms" else int(moment // 1))


def time_of(moment: Decimal) -> datetime:
    """Seconds since 1970 as a time in UTC."""
    return _EPOCH + timedelta(microseconds=int(moment.scaleb(6)))


def bound_of(moment: Decimal, form: MomentFormat, look_back_seconds: int) -> Decimal:
    """From where on rows come again when they are asked for from this moment: services cut times to whole seconds."""
    if form == "number" or not moment.is_finite():
        return moment
    return (moment - look_back_seconds) // 1
