"""Two simulated modems in real time, each behind a PTY: the line of most tests."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from sim.modems.exchange import Attempt, ExchangeSettings, Outcome, TelephoneExchange
from sim.modems.served_port import PtyPort
from sim.modems.server import ModemServer

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["ModemPair"]


class ModemPair(ModemServer):
    """Two modems joined by a line, behind two paths, for as long as it is open.

    >>> with ModemPair() as pair:
    ...     pair.near_path.exists()
    True
    """

    def __init__(
        self,
        settings: ExchangeSettings | None = None,
        *,
        near_path: Path | None = None,
        far_path: Path | None = None,
        script: Iterable[Attempt | Outcome] = (),
        seed: int = 0,
    ) -> None:
        """Prepare; nothing is open before ``with`` or `open`.

        Args:
            settings: of the line and the network.
            near_path: where to put a symbolic link to the near port; by default in
                a temporary directory.
            far_path: the same for the far port.
            script: what the first calls come to.
            seed: of the line's noise.
        """
        self._directory: tempfile.TemporaryDirectory[str] | None = None
        self._near_path = near_path
        self._far_path = far_path
        super().__init__(
            TelephoneExchange(settings, script=script, seed=seed),
            [
                lambda modem: PtyPort(modem, self.near_path),
                lambda modem: PtyPort(modem, self.far_path),
            ],
        )

    @property
    def near_path(self) -> Path:
        """Port of the near modem; open before, unless it was asked for."""
        return self._near_path or self._default("near")

    @property
    def far_path(self) -> Path:
        """Port of the far modem, likewise."""
        return self._far_path or self._default("far")

    def open(self) -> None:
        """Make the ports and start the thread.

        Raises:
            OSError: a path is taken by something that is not a symbolic link.
        """
        self._directory = tempfile.TemporaryDirectory(prefix="raseed-line-")
        try:
            super().open()
        except OSError:
            self._directory.cleanup()
            raise

    def close(self) -> None:
        """Stop the thread and take the ports away; twice is once."""
        super().close()
        if self._directory is not None:
            self._directory.cleanup()

    def silence(self, *, near: bool = False, far: bool = False) -> None:
        """Switch modems off (True) or on; a modem that is off says nothing."""

        def switch(exchange: TelephoneExchange, _now_ms: int) -> None:
            exchange.near.silent = near
            exchange.far.silent = far

        self.change(switch)

    def _default(self, name: str) -> Path:
        assert self._directory is not None, "the pair is not open"
        return Path(self._directory.name) / name
