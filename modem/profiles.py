"""Kinds of modems: how each is set up and how it dials.

A profile is chosen in the configuration by its name. `DIRECT` is no modem at all: a
serial server, a leased line or a cable that joins the two machines as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["DIRECT", "FAX", "GENERIC", "GSM", "PROFILES", "ModemProfile"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModemProfile:
    """One kind of modem.

    Attributes:
        name: as in the configuration.
        init: brings the modem to its stored or factory settings, unless the
            configuration has another command.
        configure: asks for all that we rely on; its ``X4`` becomes ``X3`` for blind
            dialling.
        has_dial_tone: whether it dials by tone or pulse after a dial tone.
        is_modem: whether there is anything to be set up, dialled and hung up.
    """

    name: str
    init: str = "ATZ"
    configure: str = ""
    has_dial_tone: bool = True
    is_modem: bool = True

    def configure_command(self, *, blind: bool) -> str:
        """The command; ``blind`` does not wait for a dial tone (V.250, 6.3.12)."""
        return self.configure.replace("X4", "X3") if blind else self.configure


GENERIC: Final = ModemProfile(
    name="generic",
    # Echo off, words, all result codes, DCD shows the carrier, DTR hangs up, no
    # automatic answer, 0.5 s of guard time.
    configure="ATE0V1X4&C1&D2S0=0S12=25",
)
FAX: Final = ModemProfile(
    name="fax",
    # A modem that was left in fax mode connects to nothing else (T.31, 8.1).
    configure="AT+FCLASS=0;E0V1X4&C1&D2S0=0S12=25",
)
GSM: Final = ModemProfile(
    name="gsm",
    # A data call without restriction at 9600 bit/s, and errors as numbers (3GPP
    # 27.007, 6.7 and 9.1). There is no dial tone, and no register for guard time.
    configure="AT+CMEE=1;+CBST=7,0,1;E0V1&C1&D2S0=0",
    has_dial_tone=False,
)
DIRECT: Final = ModemProfile(name="direct", init="", is_modem=False)

PROFILES: Final = {profile.name: profile for profile in (GENERIC, FAX, GSM, DIRECT)}
"""All profiles by their names."""
