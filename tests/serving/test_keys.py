"""Keys are kept as hashes, and open what their scopes say."""

from pathlib import Path

import pytest

from serving.keys import Keys, make


def test_a_key_opens_what_it_was_made_for(tmp_path: Path):
    path = tmp_path / "keys.json"
    shop, owner = make(path, "shop", ("read",)), make(path, "owner", ("read", "admin"))
    keys = Keys.read(path)
    found = keys.owner(shop)
    assert found is not None
    assert (found.name, found.scopes) == ("shop", ("read",))
    assert keys.owner(owner + "x") is None
    assert keys.owner("") is None


def test_the_file_does_not_tell_the_key_and_belongs_to_its_owner(tmp_path: Path):
    path = tmp_path / "keys.json"
    key = make(path, "shop", ("read",))
    assert key not in path.read_text()
    assert path.stat().st_mode & 0o077 == 0


def test_a_key_made_again_replaces_the_one_of_its_name(tmp_path: Path):
    path = tmp_path / "keys.json"
    old, new = make(path, "shop", ("read",)), make(path, "shop", ("write",))
    assert Keys.read(path).owner(old) is None
    assert Keys.read(path).owner(new) is not None


def test_scopes_and_files_that_are_none_are_refused(tmp_path: Path):
    with pytest.raises(ValueError, match=r"scopes among read, write, admin, got \['root'\]"):
        make(tmp_path / "keys.json", "shop", ("root",))
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(ValueError, match="is no file of keys"):
        Keys.read(tmp_path / "other.json")
