"""The states of finished runs: kept as soon as a run ends, so that an interrupted study goes on where it stopped."""

import datetime
import hashlib
import json
from pathlib import Path

from helpers.checks import Net2NetError
from helpers.data import write_whole

__all__ = ["States", "digest"]


class States:
    """A folder of finished runs, each a JSON with a checksum; beside it a file of what others begin with.

    Parameters
    ----------
    folder : Path
    commit : str
        Of the code, told in each state.
    suffix : str
        Of the files of what others begin with.
    """

    def __init__(self, folder, commit, suffix):
        self.folder, self.suffix = Path(folder), suffix
        self.stamp = {"commit": commit, "date": datetime.date.today().isoformat()}

    def path(self, name):
        return self.folder / f"{name}.json"

    def keep(self, name, fingerprint, state, left=None):
        """Keep a run's state, and the bytes that it left to others; returns the state as it is kept."""
        state = self.stamp | {"fingerprint": fingerprint} | state
        self.folder.mkdir(parents=True, exist_ok=True)
        if left:
            write_whole(self.path(name).with_suffix(self.suffix), left)
            state["model_sha256"] = hashlib.sha256(left).hexdigest()
        state["sha256"] = _checksum(state)
        write_whole(self.path(name), json.dumps(state).encode())
        return state

    def left(self, name):
        """The bytes that a run left to others."""
        return self.path(name).with_suffix(self.suffix).read_bytes()

    def read(self, name, fingerprint):
        """The state of a finished run, None if there is none.

        Raises
        ------
        Net2NetError
            If it is damaged, or was made under another fingerprint.
        """
        path = self.path(name)
        advice = "delete it, and the run is done again"
        try:
            state = json.loads(path.read_bytes())
            whole = state["sha256"] == _checksum(state)
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise Net2NetError(
                f"{path} is damaged: expected the JSON of a finished run, got {error!r}; {advice}"
            ) from error
        if not whole:
            raise Net2NetError(f"{path} is damaged: its checksum does not fit its contents; {advice}")
        if state["fingerprint"] != fingerprint:
            raise Net2NetError(
                f"{path} was made with other settings, data or library versions than those of now, and results "
                f"must not mix; go back to those, or delete {path.parent} and begin anew"
            )
        if "model_sha256" in state:
            model = path.with_suffix(self.suffix)
            found = hashlib.sha256(model.read_bytes()).hexdigest() if model.exists() else None
            if found != state["model_sha256"]:
                raise Net2NetError(
                    f"{model} is {'damaged' if found else 'missing'}: expected the teacher that {path.name} "
                    f"describes; delete the files {path.parent / name.split('-')[0]}-*, and their runs are done again"
                )
        return state


def digest(value):
    """A checksum of what is in a JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _checksum(state):
    return digest({key: value for key, value in state.items() if key != "sha256"})
