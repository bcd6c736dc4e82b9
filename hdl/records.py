"""Structs and codes that several blocks share with the host: the data of ``halfsilver.hdl.layout`` as shapes."""

from halfsilver.hdl.layout import tables, verdict
from halfsilver.hdl.structs import enum_of, struct_of

__all__ = [
    "DirectionCode",
    "EniHigh",
    "GeneralFlags",
    "GuardWord",
    "ServiceCode",
    "SessionWord",
    "SourcePort",
    "Table",
    "VerdictCode",
    "VerdictRecord",
]

DirectionCode = enum_of(verdict.DirectionCode, 1)
ServiceCode = enum_of(verdict.ServiceCode, 8)
VerdictCode = enum_of(verdict.VerdictCode, 8)
VerdictRecord = struct_of(verdict.VERDICT_RECORD)

Table = enum_of(tables.Table, tables.TABLE_BITS)
SessionWord = struct_of(tables.SESSION_WORD)
GeneralFlags = struct_of(tables.GENERAL_FLAGS)
GuardWord = struct_of(tables.ENI_GUARD)
SourcePort = struct_of(tables.SOURCE_PORT)
EniHigh = struct_of(tables.ENI_HIGH)
