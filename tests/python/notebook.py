"""Executing the example notebooks, and what is to be seen in them."""

import json
import os
import tempfile

import nbclient
import nbformat

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "examples", "python")


class Executed:
    """A notebook after it was run from its first cell to its last, in a kernel of its own and an empty folder.

    Args:
        name: The file's name without its ending.
        look: Python code that is run behind the last cell and leaves what the test is to know in `seen`.
    """

    def __init__(self, name, look):
        notebook = nbformat.read(os.path.join(FOLDER, name + ".ipynb"), as_version=4)
        nbformat.validate(notebook)
        look = f"import json as _json\n{look}\nprint(_json.dumps(seen))"
        notebook.cells.append(nbformat.v4.new_code_cell(look))
        with tempfile.TemporaryDirectory(prefix="prova-notebook-") as folder:
            nbclient.NotebookClient(notebook, timeout=500, kernel_name="python3",
                                    resources={"metadata": {"path": folder}}).execute()
        self.seen = json.loads(notebook.cells[-1].outputs[0]["text"])
        self.cells = [cell for cell in notebook.cells[:-1] if cell.cell_type == "code"]

    def outputs(self, word, kind):
        """What the code cells that have this word show of a MIME type."""
        return [output["data"][kind] for cell in self.cells if word in cell.source for output in cell.outputs
                if kind in output.get("data", {})]

    @property
    def warnings(self):
        """What was written to stderr."""
        return [output["text"] for cell in self.cells for output in cell.outputs if output.get("name") == "stderr"]
