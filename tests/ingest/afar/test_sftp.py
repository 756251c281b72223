"""Files on a real SFTP server."""

import os

import pytest
from tests.ingest.afar.suite import Far, FolderContract, Given, lines, read
from tests.servers.gate import gate_to
from tests.servers.sshd import ssh_server

from drivetrain.core.errors import Forbidden, InvalidInput, NotFound, Refused
from drivetrain.ingest.reading import open_reader


class Sftp(Far):
    ssh = None
    puts = 0

    def put(self, path, content):
        file = self.ssh.files / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        self.puts += 1
        os.utime(file, (1_700_000_000 + self.puts, 1_700_000_000 + self.puts))  # times of SFTP are whole seconds

    def remove(self, path):
        (self.ssh.files / path).unlink()


@pytest.fixture(scope="module")
def sftp(tmp_path_factory):
    with ssh_server(tmp_path_factory.mktemp("sshd")) as ssh, gate_to(ssh.port) as gate:
        storage = {"private_key": {"env": "KEY"}, "host_key": ssh.fingerprint}
        base = f"sftp://{ssh.user}@127.0.0.1:{gate.port}{ssh.files}/"
        far = Sftp(base, storage, {"KEY": ssh.private_key}, gate, {"KEY": ssh.other_key})
        far.ssh = ssh
        yield far


class TestSftp(FolderContract):
    @pytest.fixture
    def server(self, sftp):
        return sftp


@pytest.fixture
def words(sftp, tmp_path):
    sftp.put(f"{tmp_path.name}/words.csv", lines([(1, "one")]))
    return f"{tmp_path.name}/words.csv"


def test_another_server_than_expected_is_told_nothing(sftp, words, tmp_path):
    place = sftp.place(tmp_path)
    with pytest.raises(Refused) as caught:
        read(sftp.spec(words, host_key="SHA256:" + "A" * 43), place)
    assert caught.value.code == "host_key_unknown"
    assert sftp.ssh.fingerprint in str(caught.value)


def test_known_hosts(sftp, words, tmp_path):
    host = f"[127.0.0.1]:{sftp.gate.port}"
    storage = {"private_key": {"env": "KEY"}, "known_hosts": "known"}
    spec = type(sftp.spec(words))(kind="files", path=sftp.base + words, storage=storage)
    for known in (None, "", f"{host} {sftp.ssh.other_public}"):
        if known is not None:
            (tmp_path / "known").write_text(known)
        with pytest.raises(Refused) as caught:
            read(spec, sftp.place(tmp_path))
        assert caught.value.code == "host_key_unknown"
    (tmp_path / "known").write_text(f"{host} {sftp.ssh.public}")
    assert read(spec, sftp.place(tmp_path))[0] == [("1", "one")]


def test_a_key_that_is_none_or_closed(sftp, words, tmp_path):
    with pytest.raises(InvalidInput, match="private key cannot be read") as caught:
        read(sftp.spec(words), sftp.place(tmp_path, {"KEY": ["no key at all"]}))
    assert "no key at all" not in f"{caught.value} {caught.value.hint}"
    closed = sftp.spec(words, passphrase={"env": "PHRASE"})
    opened = {"KEY": [sftp.ssh.closed_key], "PHRASE": [sftp.ssh.passphrase]}
    assert read(closed, sftp.place(tmp_path, opened))[0] == [("1", "one")]
    with pytest.raises(InvalidInput, match="private key cannot be read"):
        read(closed, sftp.place(tmp_path, {**opened, "PHRASE": ["wrong"]}))


def test_a_password_that_the_server_does_not_take(sftp, words, tmp_path):
    storage = {"password": {"env": "WORD"}, "host_key": sftp.ssh.fingerprint}
    spec = type(sftp.spec(words))(kind="files", path=sftp.base + words, storage=storage)
    with pytest.raises(Forbidden):
        read(spec, sftp.place(tmp_path, {"WORD": ["sekrit"]}))


def test_a_folder_that_is_not_there(sftp, tmp_path):
    with pytest.raises(NotFound, match="folder") as caught:
        open_reader(sftp.spec("nowhere/*.csv"), sftp.place(tmp_path)).discover()
    assert caught.value.hint


def test_links_are_followed_to_files_and_not_round_in_circles(sftp, words, tmp_path):
    folder = sftp.ssh.files / tmp_path.name
    (folder / "link.csv").symlink_to(folder / "words.csv")
    (folder / "broken.csv").symlink_to(folder / "nothing.csv")
    (folder / "circle").symlink_to(folder)
    portions = open_reader(sftp.spec(tmp_path.name), sftp.place(tmp_path)).discover()
    assert [portion.name.rpartition("/")[2] for portion in portions] == ["link.csv", "words.csv"]


def test_the_server_starts_again_between_two_files(sftp, words, tmp_path):
    sftp.put(f"{tmp_path.name}/words2.csv", lines([(2, "two")]))
    items = open_reader(sftp.spec(tmp_path.name), sftp.place(tmp_path)).read("")
    next(items)
    sftp.ssh.restart()
    assert len(list(items)) == 3  # a position, the second file, its position


def test_asking_for_a_secret_is_left_until_it_connects(sftp, words, tmp_path):
    secrets = Given({"KEY": ["unused"]})
    place = sftp.place(tmp_path)
    open_reader(sftp.spec(words), type(place)(place.home, place.cache, secrets))
    assert secrets.asked == 0
