"""Makes the notebooks of this folder from its scripts, which are cut into cells by lines that begin with `# %%`.

    python3 notebooks.py            writes NAME.ipynb beside each NAME.py that has such lines
    python3 notebooks.py --check    says which of them is not up to date; exit status 1 if one is

The notebooks are kept without outputs: what they show is made by running them, which the tests do.
"""

import glob
import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def cells_of(script):
    """The cells of a script, each a kind and its text."""
    for block in ("\n" + script).split("\n# %%")[1:]:
        mark, _, text = block.partition("\n")
        text = text.strip("\n")
        if mark.strip() == "[markdown]":
            lines = [line[2:] if line.startswith("# ") else line.lstrip("#") for line in text.split("\n")]
            yield "markdown", "\n".join(lines).rstrip()
        else:
            yield "code", text


def notebook(script):
    """A notebook, as JSON."""
    cells = []
    for number, (kind, text) in enumerate(cells_of(script)):
        cell = {"cell_type": kind, "id": f"cell-{number}", "metadata": {}, "source": text.splitlines(keepends=True)}
        cells.append({**cell, "execution_count": None, "outputs": []} if kind == "code" else cell)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return json.dumps({"cells": cells, "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
                       "nbformat": 4, "nbformat_minor": 5}, indent=1, sort_keys=True) + "\n"


def read(path):
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except OSError:
        return ""


def main(check):
    is_stale = False
    for path in sorted(glob.glob(os.path.join(HERE, "*.py"))):
        script, target = read(path), path[:-3] + ".ipynb"
        if "\n# %%" not in "\n" + script or path == os.path.abspath(__file__):
            continue
        text = notebook(script)
        if check and read(target) != text:
            print(f"{os.path.basename(target)} is not what {os.path.basename(path)} makes: run notebooks.py")
            is_stale = True
        elif not check:
            with open(target, "w", encoding="utf-8") as file:
                file.write(text)
    return int(is_stale)


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
