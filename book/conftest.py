"""What nbval is to know of the chapters: lean ones are compared too, and what the build has run is not run again."""

import toc
from nbval.plugin import IPyNbCell, IPyNbFile

collect_ignore = ["conftest.py"]  # no doctests here


class Replay:
    """Stands in for the kernel of a chapter that has been run, and gives nbval the messages that came of it."""

    def __init__(self, notebook):
        self.cells = iter([cell for cell in notebook.cells if cell.cell_type == "code"])

    def execute_cell_input(self, source, allow_stdin=None):
        cell = next(cell for cell in self.cells if cell.source == source)
        told = [{"msg_type": output.output_type, "content": output} for output in cell.outputs]
        self.messages = iter([*told, {"msg_type": "status", "content": {"execution_state": "idle"}}])
        return "replayed"

    def get_message(self, stream, timeout=None):
        return next(self.messages) | {"parent_header": {"msg_id": "replayed"}}

    def is_alive(self):
        return True

    def await_reply(self, msg_id, timeout=None):
        pass

    await_idle = await_reply

    def stop(self):
        pass


start_kernel = IPyNbFile.setup


def setup(file):
    if notebook := toc.executed(file.path):
        file.kernel = Replay(notebook)
        file.setup_sanitize_files()
    else:
        start_kernel(file)


IPyNbFile.setup = setup


def pytest_collection_modifyitems(items):
    """Give every cell that stores an output a count: nbval takes a cell without one for one that was never run."""
    for item in items:
        if isinstance(item, IPyNbCell) and item.cell.get("outputs") and item.cell.execution_count is None:
            item.cell.execution_count = 0
