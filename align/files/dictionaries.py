"""Columns that hold the numbers of values, and each value once, in a dictionary: what pandas calls a category."""

from typing import Any


def type_held(suffix: str, kind: Any, before: Any = None) -> Any:
    """Return the type in which a file holds a column whose rows come in parts, each with a dictionary of its own.

    An Arrow file has one dictionary for all rows, and is written the values in its place; parquet has one for each
    part. before: the type that the parts before were given, which is kept where the values are of one type.
    """
    if before is not None and decoded(before) == decoded(kind):
        return before
    return widened(kind) if suffix == ".parquet" else decoded(kind)


def widened(kind: Any) -> Any:
    """Return the type of a column with at least 32 bits for the numbers of values, of which the next part may add."""
    import pyarrow as pa

    if pa.types.is_dictionary(kind) and kind.index_type.bit_width < 32:
        return pa.dictionary(pa.int32(), kind.value_type, kind.ordered)
    return kind


def decoded(kind: Any) -> Any:
    """Return the type of a column with the values of dictionaries in their place, those within lists as well."""
    import pyarrow as pa

    is_a = pa.types
    if is_a.is_dictionary(kind):
        return decoded(kind.value_type)
    if is_a.is_struct(kind):
        return pa.struct([_field(kind.field(k)) for k in range(kind.num_fields)])
    if is_a.is_map(kind):
        return pa.map_(_field(kind.key_field), _field(kind.item_field), kind.keys_sorted)
    if is_a.is_fixed_size_list(kind):
        return pa.list_(_field(kind.value_field), kind.list_size)
    if is_a.is_large_list(kind):
        return pa.large_list(_field(kind.value_field))
    if is_a.is_list(kind):
        return pa.list_(_field(kind.value_field))
    return kind


def _field(field):
    return field.with_type(decoded(field.type))
