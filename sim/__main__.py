"""`raseed-sim`: cards, lines and whole sites that behave like the real ones."""

from __future__ import annotations

import click

from sim.cards.command import cards
from sim.counter import counter
from sim.demo import demo
from sim.faults.command import faults
from sim.modems.command import line

__all__ = ["main"]


@click.group()
@click.version_option(package_name="raseed")
def main() -> None:
    """Simulators of Raseed, for developers, trainers and demonstrations.

    Nothing here touches a real card, a real line or a real bank.
    """


main.add_command(cards)
main.add_command(counter)
main.add_command(demo)
main.add_command(faults)
main.add_command(line)


if __name__ == "__main__":
    main()
