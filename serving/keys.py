"""Keys: who may ask what. A file has their hashes alone; a key is shown once, when it is made.

python -m serving.keys keys.json shop read
"""

import hashlib
import hmac
import secrets
import sys
from pathlib import Path
from typing import Literal, cast, get_args

import msgspec

Scope = Literal["read", "write", "admin"]
SCOPES: tuple[str, ...] = get_args(Scope)
BYTES = 32  # of a key: too many to guess, so that one round of a fast hash keeps it


class Key(msgspec.Struct, frozen=True):
    """Whose key it is, and what it opens."""

    name: str
    sha256: str
    scopes: tuple[Scope, ...]


class Keys:
    """All keys that open the server."""

    def __init__(self, keys: list[Key]):
        self.all = keys

    @classmethod
    def read(cls, path: Path) -> "Keys":
        """The keys of a file.

        Raises:
            ValueError: it is no file of keys.
        """
        try:
            return cls(msgspec.json.decode(path.read_bytes(), type=list[Key]))
        except (OSError, msgspec.MsgspecError) as error:
            raise ValueError(
                f"{path} is no file of keys ({error}): make one with python -m serving.keys."
            ) from error

    def owner(self, given: str) -> Key | None:
        """Whose key it is; every key is compared, so that the time tells nothing."""
        digest, found = hashed(given), None
        for key in self.all:
            if hmac.compare_digest(key.sha256, digest):
                found = key
        return found


def hashed(key: str) -> str:
    """What is kept of a key."""
    return hashlib.sha256(key.encode()).hexdigest()


def make(path: Path, name: str, scopes: tuple[str, ...]) -> str:
    """Adds a key to a file, in place of the one of the same name; returns it."""
    wrong = [scope for scope in scopes if scope not in SCOPES]
    if wrong or not scopes:
        raise ValueError(f"A key wants scopes among {', '.join(SCOPES)}, got {wrong or 'none'}.")
    key = secrets.token_urlsafe(BYTES)
    kept = [old for old in Keys.read(path).all if old.name != name] if path.exists() else []
    kept.append(Key(name, hashed(key), cast(tuple[Scope, ...], scopes)))
    draft = path.with_name(f".{path.name}.draft")
    draft.touch(mode=0o600)
    draft.write_bytes(msgspec.json.format(msgspec.json.encode(kept)) + b"\n")
    draft.replace(path)
    return key


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(f"Say: python -m serving.keys FILE NAME SCOPE..., of {', '.join(SCOPES)}.")
    try:
        print(make(Path(sys.argv[1]), sys.argv[2], tuple(sys.argv[3:])))
    except ValueError as wrong:
        sys.exit(str(wrong))
