import stat

import pytest

from xttsproject.lib.files import atomic_directory, atomic_path, sha256_of, write_json


def test_an_error_half_way_leaves_the_old_file_and_no_litter(tmp_path):
    target = tmp_path / "sound.wav"
    target.write_bytes(b"old")
    with pytest.raises(RuntimeError), atomic_path(target) as temporary:
        temporary.write_bytes(b"half of the n")
        raise RuntimeError("the disk is full")
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["sound.wav"]


def test_the_new_file_keeps_its_suffix_while_it_is_written_and_can_be_read_by_others(tmp_path):
    target = tmp_path / "deep" / "sound.wav"
    with atomic_path(target) as temporary:
        assert temporary.suffix == ".wav"
        assert not target.exists()
        temporary.write_bytes(b"new")
    assert target.read_bytes() == b"new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o644


def test_a_folder_is_replaced_as_a_whole_or_not_at_all(tmp_path):
    target = tmp_path / "checkpoint"
    with atomic_directory(target) as temporary:
        (temporary / "a").write_text("1")
    with pytest.raises(ValueError), atomic_directory(target) as temporary:
        (temporary / "b").write_text("2")
        raise ValueError
    assert [path.name for path in target.iterdir()] == ["a"]
    with atomic_directory(target) as temporary:
        (temporary / "b").write_text("2")
    assert [path.name for path in target.iterdir()] == ["b"]
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint"]


def test_the_hash_is_that_of_the_bytes(tmp_path):
    # The digest of "abc" from FIPS 180-4.
    target = tmp_path / "abc"
    target.write_bytes(b"abc")
    assert sha256_of(target) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_json_keeps_letters_readable(tmp_path):
    write_json(tmp_path / "facts.json", {"title": "São Paulo"})
    assert "São Paulo" in (tmp_path / "facts.json").read_text(encoding="utf-8")
