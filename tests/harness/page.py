"""The part of a page that PostgreSQL keeps equal on a primary and its standby; the rest is masked.

What may differ is what is written without WAL: hints, and bytes that are never read. PostgreSQL's
own list is what `wal_consistency_checking` leaves out (bufmask.c and the rm_mask function of each
resource manager). That check compares pages amid other activity. Two servers at rest have more in
common, so PD_ALL_VISIBLE, a tuple's lock bits, GiST's NSN and F_FOLLOW_RIGHT, and the LSN are
compared here as well.

For little-endian machines, blocks of 8 kB, and the layout of PostgreSQL 14 to 18.
"""

import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

BLOCK_BYTES = 8192
HEADER_BYTES = 24
_POINTER_BYTES = 4
_TUPLE_HEADER_BYTES = 23

# Offsets in the page's header, and hints in pd_flags: PD_HAS_FREE_LINES and PD_PAGE_FULL.
_CHECKSUM, _FLAGS, _LOWER, _SPECIAL, _PRUNE_XID = 8, 10, 12, 16, 20
_HINT_FLAGS = 0x0001 | 0x0002

_LP_NORMAL, _LP_DEAD = 1, 3

# Offsets in a heap tuple's header.
_CID, _CTID, _CTID_POSITION, _INFOMASK, _HOFF = 8, 12, 16, 20, 22
_XMIN_HINTS = 0x0100 | 0x0200  # HEAP_XMIN_COMMITTED, HEAP_XMIN_INVALID; both: frozen
_XMAX_HINTS = 0x0400 | 0x0800  # HEAP_XMAX_COMMITTED, HEAP_XMAX_INVALID
_COMBO_CID = 0x0020
_FROZEN = ~(_XMAX_HINTS | _COMBO_CID)  # what is compared of t_infomask
_NOT_FROZEN = _FROZEN & ~_XMIN_HINTS
_POSITION_AND_INFOMASK = struct.Struct("<H2xH")
_UINT16 = struct.Struct("<H")
_SEQUENCE = struct.Struct("<QQ")  # last_value, log_cnt
_NO_CID = bytes(_CTID - _CID)
_SPECULATIVE = 0xFFFE  # SpecTokenOffsetNumber

# Where the flags are in special spaces of 16 and of 8 bytes, and flags.
_BTREE_FLAGS = _GIST_FLAGS = _HASH_FLAGS = BLOCK_BYTES - 4
_BTREE_CYCLE_ID = _GIN_FLAGS = _BRIN_TYPE = BLOCK_BYTES - 2
_SPGIST_FLAGS, _BRIN_FLAGS = BLOCK_BYTES - 8, BLOCK_BYTES - 4
_BTP_LEAF, _BTP_SPLIT_END, _BTP_HAS_GARBAGE = 0x0001, 0x0020, 0x0040
_GIN_DELETED = 0x0004
_GIST_LEAF, _GIST_HAS_GARBAGE = 0x0001, 0x0010
_HASH_PAGE_TYPE, _HASH_BUCKET_OR_OVERFLOW, _HASH_HAS_DEAD_TUPLES = 0x000F, 0x0003, 0x0080
_SPGIST_META = 0x0001
_BRIN_REGULAR, _BRIN_EVACUATE = 0xF093, 0x0001

_SPGIST_LAST_USED = slice(28, 92)  # SpGistMetaPageData.lastUsedPages


@dataclass(frozen=True)
class Form:
    """How to read the pages of a relation: its access method, and a sequence's increment."""

    method: str
    increment: int = 1


class Item(NamedTuple):
    """A line pointer that has storage within the page."""

    position: int
    offset: int
    flags: int
    length: int


def masked(page: bytes, form: Form, block: int) -> bytes:
    """Return the page with everything set to zero that a primary and a standby need not share.

    An unknown access method is assumed to keep to the standard layout (PageInit, line pointers,
    WAL by generic_xlog.c). In a page whose header makes no sense, only the header is masked.
    """
    if len(page) < BLOCK_BYTES or not any(page):
        return page
    result = bytearray(page)
    special_bytes, mask = _MASKS.get(form.method, (_special_bytes(result), _mask_unknown))
    _mask_header(result)
    if _special_bytes(result) == special_bytes:
        mask(result, block)
        if form.method == "sequence":
            _settle_sequence(result, form.increment)
    return bytes(result)


def masked_lsn(page: bytes) -> bytes:
    """Return the page without its LSN."""
    return bytes(_CHECKSUM) + page[_CHECKSUM:]


def is_blank(page: bytes) -> bool:
    """Return whether a page at the end of a file is equivalent to a missing one.

    A relation is extended without WAL. The new page is zero until something is written to it; a
    heap's may have its header already, but no LSN (RelationGetBufferForTuple).
    """
    return not any(page[:_CHECKSUM]) and not any(page[HEADER_BYTES:])


def map_bits(page: bytes) -> bytes:
    """Return the bits of a page of a visibility map; a missing page has none set.

    VACUUM creates pages without WAL when it looks them up (visibilitymap_pin), and clearing bits
    does not advance the page's LSN.
    """
    return page[HEADER_BYTES:] or bytes(BLOCK_BYTES - HEADER_BYTES)


def _mask_header(page: bytearray) -> None:
    _erase(page, _CHECKSUM, 2)
    _erase(page, _PRUNE_XID, 4)
    _clear(page, _FLAGS, _HINT_FLAGS)


def _mask_unknown(page: bytearray, block: int) -> None:
    """Mask a heap page (only these lack a special space), or else what all pages have in common."""
    if _special_bytes(page) == 0:
        _mask_heap(page, block)
    else:
        _mask_hole(page)


def _mask_heap(page: bytearray, block: int) -> None:
    _mask_hole(page, even_without_items=True)
    for item in _items(page):
        if item.flags == _LP_NORMAL and item.length >= _TUPLE_HEADER_BYTES:
            _mask_tuple(page, block, item)
        padding = -item.length % 8
        if padding:
            _erase(page, item.offset + item.length, padding)


def _mask_tuple(page: bytearray, block: int, item: Item) -> None:
    """Mask a heap tuple's hints, and the command id, which replay does not know.

    It makes as few calls as possible, because there may be millions of tuples.
    """
    start = item.offset
    position, infomask = _POSITION_AND_INFOMASK.unpack_from(page, start + _CTID_POSITION)
    is_frozen = infomask & _XMIN_HINTS == _XMIN_HINTS
    _UINT16.pack_into(page, start + _INFOMASK, infomask & (_FROZEN if is_frozen else _NOT_FROZEN))
    page[start + _CID : start + _CTID] = _NO_CID
    # A speculative insertion that was cut off leaves its token here; on the standby the tuple
    # points to itself.
    if position == _SPECULATIVE:
        itself = (block >> 16, block & 0xFFFF, item.position)
        struct.pack_into("<HHH", page, start + _CTID, *itself)


def _settle_sequence(page: bytearray, increment: int) -> None:
    """Set a sequence to the last value that is in WAL.

    nextval() logs 32 values ahead and then counts `log_cnt` down without WAL, so what a standby
    has is the primary's last_value plus what is left of them (nextval_internal).
    """
    for item in _items(page):
        data = item.offset + page[item.offset + _HOFF]
        if data + _SEQUENCE.size <= BLOCK_BYTES:
            last_value, log_cnt = _SEQUENCE.unpack_from(page, data)
            settled = (last_value + log_cnt * increment) % (1 << 64)
            _SEQUENCE.pack_into(page, data, settled, 0)


def _mask_btree(page: bytearray, _block: int) -> None:
    _mask_hole(page, even_without_items=True)
    if _uint16(page, _BTREE_FLAGS) & _BTP_LEAF:
        _revive_items(page)
    # The cycle id tells a VACUUM of splits that happen under it; replay writes none.
    _clear(page, _BTREE_FLAGS, _BTP_SPLIT_END | _BTP_HAS_GARBAGE)
    _erase(page, _BTREE_CYCLE_ID, 2)


def _mask_gin(page: bytearray, _block: int) -> None:
    if _uint16(page, _GIN_FLAGS) & _GIN_DELETED:
        _mask_content(page)
        # Replay re-creates a deleted page of the pending list without its link and number of rows.
        _erase(page, _uint16(page, _SPECIAL), _GIN_FLAGS - _uint16(page, _SPECIAL))
    else:
        _mask_hole(page)


def _mask_gist(page: bytearray, _block: int) -> None:
    _mask_hole(page, even_without_items=True)
    if _uint16(page, _GIST_FLAGS) & _GIST_LEAF:
        _revive_items(page)
    _clear(page, _GIST_FLAGS, _GIST_HAS_GARBAGE)


def _mask_hash(page: bytearray, _block: int) -> None:
    flags = _uint16(page, _HASH_FLAGS)
    if not flags & _HASH_PAGE_TYPE:
        _mask_content(page)
        return
    _mask_hole(page, even_without_items=True)
    if flags & _HASH_BUCKET_OR_OVERFLOW:
        _revive_items(page)
    _clear(page, _HASH_FLAGS, _HASH_HAS_DEAD_TUPLES)


def _mask_spgist(page: bytearray, _block: int) -> None:
    is_meta = bool(_uint16(page, _SPGIST_FLAGS) & _SPGIST_META)
    _mask_hole(page, even_without_items=not is_meta)
    if is_meta:
        _erase(page, _SPGIST_LAST_USED.start, _SPGIST_LAST_USED.stop - _SPGIST_LAST_USED.start)


def _mask_brin(page: bytearray, _block: int) -> None:
    _mask_hole(page, even_without_items=_uint16(page, _BRIN_TYPE) == _BRIN_REGULAR)
    _clear(page, _BRIN_FLAGS, _BRIN_EVACUATE)


# The size of the special space, and what masks the rest.
_MASKS: Mapping[str, tuple[int, Callable[[bytearray, int], None]]] = {
    "heap": (0, _mask_heap),
    "sequence": (8, _mask_heap),
    "btree": (16, _mask_btree),
    "gin": (8, _mask_gin),
    "gist": (16, _mask_gist),
    "hash": (16, _mask_hash),
    "spgist": (8, _mask_spgist),
    "brin": (8, _mask_brin),
}


def _mask_hole(page: bytearray, *, even_without_items: bool = False) -> None:
    """Mask the unused space between pd_lower and pd_upper.

    Some pages of GIN and BRIN, and old metapages, leave pd_lower alone: their content is there.
    """
    lower, upper, special = struct.unpack_from("<HHH", page, _LOWER)
    lowest = HEADER_BYTES if even_without_items else HEADER_BYTES + 1
    if lowest <= lower <= upper <= special <= BLOCK_BYTES:
        _erase(page, lower, upper - lower)


def _mask_content(page: bytearray) -> None:
    """Mask all but the header and the special space."""
    _erase(page, _LOWER, 4)
    _erase(page, HEADER_BYTES, _uint16(page, _SPECIAL) - HEADER_BYTES)


def _revive_items(page: bytearray) -> None:
    """Undo the hint that an index scan found the row dead: LP_DEAD, with its storage."""
    for item in _items(page):
        if item.flags == _LP_DEAD:
            pointer = item.offset | _LP_NORMAL << 15 | item.length << 17
            where = HEADER_BYTES + _POINTER_BYTES * (item.position - 1)
            struct.pack_into("<I", page, where, pointer)


def _items(page: bytearray) -> Iterator[Item]:
    """Yield the line pointers that have storage."""
    lower = min(_uint16(page, _LOWER), BLOCK_BYTES)
    count = max(0, lower - HEADER_BYTES) // _POINTER_BYTES
    for position, pointer in enumerate(struct.unpack_from(f"<{count}I", page, HEADER_BYTES), 1):
        offset, length = pointer & 0x7FFF, pointer >> 17
        if length and offset + length <= BLOCK_BYTES:
            yield Item(position, offset, pointer >> 15 & 3, length)


def _special_bytes(page: bytearray) -> int:
    return BLOCK_BYTES - _uint16(page, _SPECIAL)


def _uint16(page: bytearray, offset: int) -> int:
    return page[offset] | page[offset + 1] << 8


def _clear(page: bytearray, offset: int, bits: int) -> None:
    page[offset : offset + 2] = (_uint16(page, offset) & ~bits).to_bytes(2, "little")


def _erase(page: bytearray, offset: int, length: int) -> None:
    page[offset : offset + length] = bytes(len(page[offset : offset + length]))
