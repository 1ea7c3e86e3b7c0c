"""The blocks of docs/commands.md that are `prova COMMAND --help`, word for word.

    PROVA_BIN=build/release/prova python3 tests/end_to_end/commands_page.py

writes them anew after a command has changed; a test compares them.
"""

import os
import pathlib
import re
import subprocess

PROVA = os.environ.get("PROVA_BIN", "prova")
PAGE = pathlib.Path(__file__).parents[2] / "docs" / "commands.md"
BLOCK = re.compile(r"(^## (\w+)\n\n```text\n)(.*?)(^```$)", re.DOTALL | re.MULTILINE)


def help_of(command: str) -> str:
    return subprocess.run([PROVA, command, "--help"], check=True, capture_output=True, text=True).stdout


def commands() -> list[str]:
    """Every listed command, in the order of `prova help`."""
    listed = subprocess.run([PROVA, "help"], check=True, capture_output=True, text=True).stdout
    return re.findall(r"^  (\w+)  ", listed.split("Commands\n")[1].split("\n\n")[0], re.MULTILINE)


def blocks() -> dict[str, str]:
    return {match[2]: match[3] for match in BLOCK.finditer(PAGE.read_text())}


if __name__ == "__main__":
    PAGE.write_text(BLOCK.sub(lambda match: match[1] + help_of(match[2]) + match[4], PAGE.read_text()))
