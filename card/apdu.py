"""Command and response APDUs, short form (ISO/IEC 7816-3, clause 12.1.1)."""

from __future__ import annotations

from dataclasses import dataclass, field

from card.errors import MalformedResponseError
from card.profile import INS
from card.sw import SW, describe

__all__ = ["LE_ANY", "CommandAPDU", "ResponseAPDU"]

LE_ANY = 256
"""Le that asks for all there is; it travels as the byte 00."""

_DATA_BYTES_MAX = 255
_INS_NAMES: dict[int, str] = {ins: ins.name.replace("_", " ") for ins in INS}
_SECRET_INS = frozenset({INS.VERIFY, INS.CHANGE_PIN, INS.RESET_PIN, INS.PUT_DATA})


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandAPDU:
    """One command: header, up to 255 bytes of data, optional Le of 1 to 256.

    >>> CommandAPDU(cla=0x80, ins=0x5C, p1=0, p2=2, le=4).to_bytes().hex()
    '805c000204'
    >>> CommandAPDU(cla=0, ins=0x20, p1=0, p2=0x80, data=b"secret!!")
    CommandAPDU(00200080 data=8 bytes hidden)
    """

    cla: int
    ins: int
    p1: int = 0
    p2: int = 0
    data: bytes = field(default=b"", repr=False)
    le: int | None = None

    def __post_init__(self) -> None:
        for name in ("cla", "ins", "p1", "p2"):
            if not 0 <= getattr(self, name) <= 0xFF:
                raise ValueError(f"{name} is not one byte")
        if len(self.data) > _DATA_BYTES_MAX:
            raise ValueError("command data is longer than 255 bytes")
        if self.le is not None and not 1 <= self.le <= LE_ANY:
            raise ValueError("Le is not 1 to 256")

    def __repr__(self) -> str:
        header = bytes((self.cla, self.ins, self.p1, self.p2)).hex().upper()
        # Command data may hold a PIN block or a key; only its length is told.
        secret = "hidden" if self.ins in _SECRET_INS else "omitted"
        data = f" data={len(self.data)} bytes {secret}" if self.data else ""
        le = "" if self.le is None else f" le={self.le}"
        return f"CommandAPDU({header}{data}{le})"

    @property
    def name(self) -> str:
        """The command's name for messages, such as ``"DEBIT"``."""
        return _INS_NAMES.get(self.ins, f"INS {self.ins:02X}")

    def to_bytes(self) -> bytes:
        """CLA INS P1 P2 [Lc data] [Le], 4 to 261 bytes."""
        body = bytes((len(self.data),)) + self.data if self.data else b""
        tail = b"" if self.le is None else bytes((self.le & 0xFF,))
        return bytes((self.cla, self.ins, self.p1, self.p2)) + body + tail


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseAPDU:
    """One response: up to 256 bytes of data and the status word."""

    data: bytes = field(default=b"", repr=False)
    sw: int

    def __repr__(self) -> str:
        return f"ResponseAPDU({len(self.data)} bytes, {describe(self.sw)})"

    @property
    def ok(self) -> bool:
        """Whether the status word is 9000."""
        return self.sw == SW.OK

    @classmethod
    def parse(cls, raw: bytes) -> ResponseAPDU:
        """Read an answer off the wire: data, then SW1 SW2 (2 to 258 bytes).

        Raises:
            MalformedResponseError: there is no room for a status word.
        """
        if not 2 <= len(raw) <= LE_ANY + 2:
            raise MalformedResponseError("response", offset=len(raw))
        return cls(data=raw[:-2], sw=int.from_bytes(raw[-2:], "big"))
