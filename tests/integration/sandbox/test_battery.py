"""Whoever lives in a box attacks: nothing opens, and everything opens without what stops it.

The attacks run in disposable namespaces (`battery/driver.py`), as root and as an ordinary user.
"""

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.sandbox.battery import cases

ROOT = Path(__file__).parents[3]
# One a battery: where a mechanism cannot count a box's processes alone, it counts the user's.
USERS = {"bubblewrap": 64_321, "browser": 64_322, "landlock": 64_323}
HOST = str(Path("/proc/self/ns/mnt").readlink())
DRIVER = "tests.integration.sandbox.battery.driver"
OUTER = ["unshare", "--mount", "--net", "--ipc", "--uts", "--pid", "--fork", "--kill-child"]
# An ordinary user cannot go through root's folders, so they are shown elsewhere.
STAGE = """
set -e
mount --make-rprivate /
mount -t tmpfs none /mnt
mkdir /mnt/python /mnt/source /mnt/libraries /mnt/base
mount --bind {python} /mnt/python
mount --bind {source} /mnt/source
mount --bind {libraries} /mnt/libraries
mount --bind {base} /mnt/base
chown {user}:{user} /mnt/base
hostname outer
echo 20000 >/proc/sys/kernel/ns_last_pid
python3=/mnt/python/bin/python{version}
"$python3" -c {loopback}
cd /mnt/source
exec setpriv --reuid {user} --regid {user} --clear-groups env -i PATH="$PATH" \
  PYTHONPATH=/mnt/source/src:/mnt/source:/mnt/libraries "$python3" -P -B -m {driver} {words}
"""
LOOPBACK = """
import fcntl, socket, struct
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ours:
    fcntl.ioctl(ours, 0x8914, struct.pack("16sh14x", b"lo", 1))
"""
ATTACKS = {
    "bubblewrap": list(cases.bubblewrap("c", "r", "s")),
    "browser": list(cases.browser("c", "r", "s")),
    "landlock": list(cases.landlock("c", "r")),
}
# What an ordinary user could not do without a box either, or what only a control group limits.
NOT_A_USERS = {"memory_of_many", "packet", "raw"}


def names(who: str, mechanism: str) -> list[str]:
    return [name for name in ATTACKS[mechanism] if who == "root" or name not in NOT_A_USERS]


# One test a battery, not one an attack: each is one run, which no two processes should share.
@pytest.mark.timeout(600)
@pytest.mark.parametrize("mechanism", ATTACKS)
@pytest.mark.parametrize("who", ["root", "user"])
def test_every_attack_is_stopped_and_only_by_what_stops_it(
    who: str, mechanism: str, tmp_path: Path
) -> None:
    tried = names(who, mechanism)
    script = STAGE.format(
        python=shlex.quote(sys.base_prefix),
        version=f"{sys.version_info[0]}.{sys.version_info[1]}",
        source=shlex.quote(str(ROOT)),
        libraries=shlex.quote(str(Path(pytest.__file__).parents[1])),
        base=shlex.quote(str(tmp_path)),
        user=USERS[mechanism] if who == "user" else 0,
        loopback=shlex.quote(LOOPBACK),
        driver=DRIVER,
        words=shlex.join([HOST, mechanism, "/mnt/base", *tried]),
    )
    done = subprocess.run(
        [*OUTER, "--mount-proc", "sh", "-c", script], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-1000:]
    found = json.loads(done.stdout)
    assert dict.fromkeys(tried, False) == found["whole"]
    assert dict.fromkeys(tried, True) == found["weak"]


def test_the_battery_does_not_run_in_the_hosts_namespace(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", DRIVER, HOST, "bubblewrap", str(tmp_path)],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
    )
    assert 1 == done.returncode
    assert "never run" in done.stderr
    assert [] == list(tmp_path.iterdir())


def test_there_are_enough_attacks() -> None:
    assert all(len(attacks) >= 40 for attacks in ATTACKS.values())
