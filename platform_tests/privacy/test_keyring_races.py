"""Many processes at one ring file, and processes that are killed at it."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr

from data_platform.privacy.keyring import LocalKeyRing, ensure_ring, read_ring, rotate
from data_platform.privacy.sealing import seal, unseal

# Eight forks wait for one line, so that they are at the file at the same time.
_RACE = """
import os, sys
from pathlib import Path
from pydantic import SecretStr
from data_platform.privacy.keyring import ensure_ring, read_ring, rotate
file = Path(sys.argv[1])
waiting, go = os.pipe()
def tell(text):
    os.write(1, f"{text}\\n".encode())
def child():
    os.close(go)
    os.read(waiting, 1)
    RACE
children = []
for _ in range(8):
    children.append(os.fork())
    if not children[-1]:
        try:
            child()
            os._exit(0)
        finally:
            os._exit(1)
os.close(go)
sys.exit(sum(os.waitpid(child, 0)[1] for child in children))
"""

# The rotation dies at its n-th call of the operating system that has to do with files.
_KILLED = """
import os, signal, sys
from pathlib import Path
from pydantic import SecretStr
from data_platform.privacy.keyring import rotate
left = int(sys.argv[2])
def audit(event, _):
    global left
    if event in {"open", "os.rename", "os.remove", "fcntl.flock", "os.chown"}:
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
fsync = os.fsync
def dying_fsync(descriptor):
    audit("open", None)
    fsync(descriptor)
    audit("open", None)
os.fsync = dying_fsync
sys.addaudithook(audit)
rotate(SecretStr(Path(sys.argv[1]).as_uri()))
"""


def run(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(
        command, cwd=Path(__file__).parents[2] / "platform", capture_output=True, text=True, check=False
    )


def test_eight_processes_that_make_a_ring_all_use_the_same(tmp_path: Path) -> None:
    for number in range(5):
        file = tmp_path / str(number) / "keys.json"
        use = "ensure_ring(file); ring = read_ring(SecretStr(file.as_uri())); tell(ring.token_key.key.hex())"
        done = run(_RACE.replace("RACE", use), str(file))
        assert done.returncode == 0, done.stderr
        seen = done.stdout.split()
        assert (len(seen), set(seen)) == (8, {read_ring(SecretStr(file.as_uri())).token_key.key.hex()})
        assert {path.name for path in file.parent.iterdir()} == {"keys.json", "keys.json.lock"}


def test_rotations_at_the_same_time_lose_no_key(ring_file: Path, reference: SecretStr) -> None:
    sealed = seal(b"before", read_ring(reference))
    use = "[tell(rotate(SecretStr(file.as_uri()))) for _ in range(5)]"
    done = run(_RACE.replace("RACE", use), str(ring_file))
    assert done.returncode == 0, done.stderr
    ring = read_ring(reference)
    versions = [f"s{number}" for number in range(2, 42)]
    assert sorted(done.stdout.split()) == sorted(versions)
    assert [key.version for key in ring.facts()] == ["s1", "t1", *versions]
    assert unseal(sealed, ring) == b"before"


def test_a_rotation_killed_anywhere_leaves_a_ring_that_reads_and_rotates(
    ring_file: Path, reference: SecretStr, ring: LocalKeyRing
) -> None:
    sealed, lasted, rotated = seal(b"before", ring), 0, False
    while not rotated:
        before = [key.version for key in read_ring(reference).facts()]
        done = run(_KILLED, str(ring_file), str(lasted))
        rotated = done.returncode == 0
        assert rotated or done.returncode == -signal.SIGKILL, done.stderr
        after = read_ring(reference)
        assert [key.version for key in after.facts()][: len(before)] == before
        assert unseal(sealed, after) == b"before"
        assert after.token_key == ring.token_key
        lasted += 1
    assert lasted > 8
    assert rotate(reference) == f"s{len(read_ring(reference).facts()) - 1}"
    assert {path.name for path in ring_file.parent.iterdir()} == {"keys.json", "keys.json.lock"}


@pytest.mark.parametrize("left_over", ["", '{"keys": [', "x" * 10_000])
def test_what_a_killed_process_left_is_no_obstacle_and_never_the_ring(tmp_path: Path, left_over: str) -> None:
    file = tmp_path / "keys.json"
    for name in ("keys.json.new", "keys.json.lock"):
        (tmp_path / name).write_text(left_over)
    ensure_ring(file)
    assert rotate(SecretStr(file.as_uri())) == "s2"
    assert len(json.loads(file.read_text())["keys"]) == 3
