"""The table write port: how a word that the host writes reaches the table it is for.

The NIC drives one; every block that holds a table is connected to it and takes the words of its own table.
"""

from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from halfsilver.hdl.records import Table

__all__ = ["TablePort"]


class TablePort(wiring.Signature):
    """One word for a table's shadow bank, seen from the side that writes.

    Members: ``enable`` (one word per clock while high), ``table``, ``bank``, ``index`` (word in the table), ``data``.
    Each block with a table says in ``WRITE_CLOCKS`` how many clocks later the word is in it.
    """

    def __init__(self):
        super().__init__({"enable": Out(1), "table": Out(Table), "bank": Out(1), "index": Out(24), "data": Out(32)})
