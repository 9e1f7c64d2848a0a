"""``numeric`` with and without precision, and money."""

from __future__ import annotations

from airflow_dataloader.sources.postgresql.type_rule import TypeRule

#: Digits of the widest decimal that Delta has, and those behind the point where the source says nothing.
WIDEST = 38
DEFAULT_SCALE = 18


def numeric(x: str, modifier: int) -> TypeRule:
    """Return the rule for a ``numeric`` expression; ``modifier`` is the type's, as PostgreSQL encodes it."""
    if modifier < 0:
        return _guarded(x, DEFAULT_SCALE, scale_is_declared=False)
    precision, scale = precision_and_scale(modifier)
    if scale < 0:
        # numeric(5,-2) holds 7 digits in front of the point, the last two of them zeros.
        precision, scale, reshaped = precision - scale, 0, True
    else:
        # numeric(2,4) holds 0.0099 at most: as many digits as its scale says.
        reshaped = scale > precision
        precision = max(precision, scale)
    if precision > WIDEST:
        if scale <= WIDEST:
            return _guarded(x, scale, scale_is_declared=True)
        # What the digits in front of the point leave, but enough of them on either side.
        left = WIDEST - (precision - scale)
        return _guarded(x, max(left, DEFAULT_SCALE), scale_is_declared=False)
    sql_type = f"numeric({precision},{scale})"
    return TypeRule(
        value=f"CAST({x} AS {sql_type})" if reshaped else x,
        sql_type=sql_type,
        type=f"decimal({precision},{scale})",
        kept=f"{x} <> 'NaN'",
        refused_by_driver=True,
    )


def precision_and_scale(modifier: int) -> tuple[int, int]:
    """Decode a ``numeric`` type modifier; the scale may be negative or larger than the precision."""
    packed = modifier - 4
    return (packed >> 16) & 0xFFFF, ((packed & 0x7FF) ^ 1024) - 1024


def _guarded(x: str, scale: int, *, scale_is_declared: bool) -> TypeRule:
    """Keep what fits ``decimal(38, scale)`` without rounding; NaN and infinities compare greater than any."""
    sql_type = f"numeric({WIDEST},{scale})"
    kept = f"abs({x}) < 1e{WIDEST - scale}"
    if not scale_is_declared:
        kept += f" AND {x} = trunc({x}, {scale})"
    return TypeRule(
        value=f"CAST({x} AS {sql_type})",
        sql_type=sql_type,
        type=f"decimal({WIDEST},{scale})",
        kept=kept,
    )


def money(x: str) -> TypeRule:
    """Keep money as a number: 64 bits of the smallest coin, and no currency has more than 4 digits of it."""
    return TypeRule(value=f"CAST({x} AS numeric(23,4))", sql_type="numeric(23,4)", type="decimal(23,4)")
