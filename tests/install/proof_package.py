"""Proof of the Debian package: apt on Debian 12 and 13 with systemd, upgrades that fail, removal and purge.

    python -m tests.install.proof_package --architecture amd64 --summary docs

Needs root, mmdebstrap, lintian, and for arm64 binfmt_misc in the kernel. Each step asserts.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from install.debian.package import DEBIAN
from install.device.machine import canonical
from tests.install import pages
from tests.install.debian import Debian, booted
from tests.install.steps import (
    CONFIGURATION,
    ROOT,
    Proof,
    die,
    files,
    hang,
    narrow_node,
    prepare,
    replace,
    retained,
    write,
)

_SUITES = ("bookworm", "trixie")


class Packages:
    """Packages of the sources as they are, under other versions and with other faults; each is built once."""

    def __init__(self, architecture: str, scratch: Path, into: Path) -> None:
        self.architecture = architecture
        self.scratch = scratch
        self.into = into
        self.built: dict[str, Path] = {}

    def get(self, proof: Proof, version: str, change: Callable[[Path], None] = lambda _: None) -> Path:
        if version not in self.built:
            sources = proof.edition(version, change)
            self.built[version] = self.build(sources, version)
        return self.built[version]

    def build(self, sources: Path, version: str) -> Path:
        command = [sys.executable, "-m", "install", "deb", "--arch", self.architecture, "--into", str(self.into)]
        subprocess.run(command, cwd=sources, check=True, stdout=subprocess.DEVNULL)
        return self.into / f"affectd_{version}_{DEBIAN[self.architecture]}.deb"


def apt(machine: Debian, action: str, what: str) -> tuple[bool, str]:
    """Whether apt-get was content, and what it and the package's scripts said."""
    said = machine.run(f"DEBIAN_FRONTEND=noninteractive apt-get {action} -y {what} 2>&1; echo code=$?", check=False)
    return said.rstrip().endswith("code=0"), said


def put(machine: Debian, package: Path) -> str:
    """Copy a package into the machine, as ./NAME for apt."""
    target = machine.root / "srv/proof" / package.name
    target.write_bytes(package.read_bytes())
    return f"/srv/proof/{package.name}"


def sentence(said: str) -> str:
    return next((line for line in said.splitlines() if line.startswith("affectd: ")), said)


def status(machine: Debian) -> str:
    return machine.run("dpkg-query -W -f '${db:Status-Status} ${Version}' affectd", check=False).strip()


def reproducible(proof: Proof, packages: Packages) -> None:
    with proof.step("built twice, and judged by lintian") as notes:
        package = packages.get(proof, "0.9.0")
        first = package.read_bytes()
        assert packages.build(proof.edition("0.9.0-again", _same_version), "0.9.0").read_bytes() == first
        notes.append(f"{len(first) >> 20} MB, byte for byte the same")
        judged = subprocess.run(
            ["lintian", "--fail-on", "error,warning", str(package)], capture_output=True, text=True, check=False
        )
        assert judged.returncode == 0, judged.stdout + judged.stderr
        notes.append("lintian finds nothing that is not overridden with a reason")


def first_installation(proof: Proof, packages: Packages) -> None:
    machine = proof.machine
    with proof.step("apt install ./affectd_0.9.0") as notes:
        prepare(proof)
        content, said = apt(machine, "install", put(machine, packages.get(proof, "0.9.0")))
        assert content, said
        notes.append(machine.run("python3 --version; uname -m").replace("\n", " ").strip())
        machine.run("systemctl is-enabled affectd && systemctl is-active affectd")
        assert proof.version() == "0.9.0"
        notes.append(f"{machine.run('du -sm /opt/affectd').split()[0]} MB under /opt/affectd")
        machine.run("test -L /usr/bin/affectd -a -s /usr/share/bash-completion/completions/affectd")
        said = machine.run("bash -c '. /usr/share/bash-completion/completions/affectd; complete -p affectd'")
        assert "_affectd" in said
        configuration = CONFIGURATION.format(port=machine.mqtt_port)
        write(machine, "/etc/affectd/config.yaml", configuration)
        machine.run("systemctl restart affectd")
        _wait_until_online(machine)
        machine.run("runuser -u affectd -- touch /var/lib/affectd/mine")
        notes.append(f"running as {machine.run('ps -o user= -C affectd').split()[0]}, online at the broker")
    with proof.step("make install and make uninstall beside the package") as notes:
        before = proof.process()
        for action in ("install", "uninstall", "check"):
            said = machine.run(f"sh /opt/affectd/payload/setup {action}", check=False)
            assert "installed here as a Debian package" in said, said
            assert said.count("\n") == 1, said
        assert proof.process() == before
        notes.append(said.strip())


def upgrades(proof: Proof, packages: Packages) -> None:
    machine = proof.machine
    with proof.step("upgrade to 0.9.1") as notes:
        configuration = machine.run("cat /etc/affectd/config.yaml")
        content, said = apt(machine, "install", put(machine, packages.get(proof, "0.9.1")))
        assert content, said
        _runs(proof, "0.9.1")
        assert machine.run("cat /etc/affectd/config.yaml") == configuration
        machine.run("test -e /var/lib/affectd/mine")
        notes.append("0.9.1 runs; configuration and state kept; one release")
    with proof.step("an upgrade that no longer takes the configuration") as notes:
        before = proof.process()
        content, said = apt(machine, "install", put(machine, packages.get(proof, "0.9.2", _narrow_with_another_unit)))
        assert not content
        assert "node" in sentence(said), said
        assert "is still the one that runs" in sentence(said), said
        assert proof.process() == before
        assert status(machine).startswith("half-configured 0.9.2"), status(machine)
        notes.append(f"0.9.1 was not even restarted; it said: `{sentence(said)}`")
    with proof.step("the old release and its unit start after a boot in this state") as notes:
        machine.cut_power()
        machine.boot()
        _runs(proof, "0.9.1")
        assert "narrowed" not in machine.run("systemctl show -p Description affectd")
        notes.append("0.9.1 with the unit of 0.9.1")
    with proof.step("once the configuration suits, dpkg goes on") as notes:
        machine.run("sed -i 's/^node: proof/node: abc/' /etc/affectd/config.yaml && dpkg --configure affectd")
        _runs(proof, "0.9.2")
        assert "narrowed" in machine.run("systemctl show -p Description affectd")
        machine.run("sed -i 's/^node: abc/node: proof/' /etc/affectd/config.yaml")
        notes.append("0.9.2 with the unit of 0.9.2")
    with proof.step("an older version is installed again") as notes:
        content, said = apt(machine, "install --allow-downgrades", put(machine, packages.get(proof, "0.9.1")))
        assert content, said
        _runs(proof, "0.9.1")
        renamed = CONFIGURATION.format(port=machine.mqtt_port).replace("node: proof", "node: abc")
        write(machine, "/srv/proof/abc.yaml", renamed)
        machine.run("affectd withdraw --config /srv/proof/abc.yaml")  # as the guide has it of a node with another name
    with proof.step("an upgrade that dies as it starts") as notes:
        content, said = apt(machine, "install", put(machine, packages.get(proof, "0.9.3", die)))
        assert not content
        assert "broken on purpose" in sentence(said), said
        _runs(proof, "0.9.1")
        notes.append(f"0.9.1 runs again; it said: `{sentence(said)}`")
        content, said = apt(machine, "install --allow-downgrades", put(machine, packages.get(proof, "0.9.1")))
        assert content, said
        assert status(machine) == "installed 0.9.1", status(machine)
        notes.append("installing 0.9.1 again puts dpkg in order")


def power_cut(proof: Proof, packages: Packages) -> None:
    machine = proof.machine
    with proof.step("power cut while an upgrade stands its trial") as notes:
        path = put(machine, packages.get(proof, "0.9.4", hang))
        script = f"DEBIAN_FRONTEND=noninteractive apt-get install -y {path} >/dev/null 2>&1"
        cut = subprocess.Popen([*machine.ssh, "root@127.0.0.1", script], stdin=subprocess.DEVNULL)
        machine.run("until test -e /run/systemd/system/affectd.service; do sleep 0.2; done")
        machine.cut_power()
        assert cut.wait() != 0
        machine.boot()
        machine.run("systemctl is-active --wait affectd")
        assert proof.version() == "0.9.1"  # the rest of 0.9.4 is there until the next installation
        notes.append("the next boot starts 0.9.1")
        machine.run("dpkg --configure -a", check=False)  # what apt asks for first; it tries 0.9.4 again, in vain
        _runs(proof, "0.9.1")
        content, said = apt(machine, "install --allow-downgrades", put(machine, packages.get(proof, "0.9.1")))
        assert content, said
        _runs(proof, "0.9.1")


def other_systems(proof: Proof, packages: Packages) -> None:
    machine = proof.machine
    with proof.step("a package for another architecture") as notes:
        foreign = "arm64" if proof.architecture == "x86_64" else "amd64"
        here = DEBIAN[proof.architecture]
        machine.run(
            f"cd /srv/proof && rm -rf tree && dpkg-deb -R {packages.get(proof, '0.9.1').name} tree && "
            f"sed -i 's/^Architecture: .*/Architecture: {foreign}/' tree/DEBIAN/control && "
            f'sed -i \'s/is for {here}/is for {foreign}/; s/= "{here}"/= "{foreign}"/\' tree/DEBIAN/preinst && '
            "dpkg-deb -Znone -b tree foreign.deb && rm -rf tree"
        )
        content, said = apt(machine, "install", "/srv/proof/foreign.deb")
        assert not content
        said = machine.run("dpkg --force-architecture -i /srv/proof/foreign.deb", check=False)
        assert f"this package is for {foreign}, and this system is {here}" in said, said
        notes.append(sentence(said))
        assert status(machine) == "installed 0.9.1", status(machine)
        _runs(proof, "0.9.1")


def removal(proof: Proof, packages: Packages, before: set[str]) -> None:
    machine = proof.machine
    with proof.step("remove") as notes:
        content, said = apt(machine, "remove", "affectd")
        assert content, said
        left = _left(machine, before)
        assert "/etc/affectd/config.yaml" in left
        assert "/var/lib/affectd/mine" in left
        strange = {
            path for path in left if not path.startswith(("/etc/affectd", "/var/lib/affectd", "/var/lib/dpkg/info"))
        }
        assert strange == set(), strange
        assert "affectd" not in machine.run("systemctl list-unit-files; systemctl list-units --all")
        clear = {**retained(machine.mqtt_port, "affectd/#"), **retained(machine.mqtt_port, "homeassistant/#")}
        assert clear == {}, clear
        assert status(machine).startswith("config-files"), status(machine)
        notes.append("configuration and state are left, no unit, no topic on the broker")
    with proof.step("purge") as notes:
        content, said = apt(machine, "purge", "affectd")
        assert content, said
        assert _left(machine, before) == set(), _left(machine, before)
        notes.append("nothing is left but the user")


def beside_make_install(proof: Proof, packages: Packages) -> None:
    machine = proof.machine
    with proof.step("the package beside make install") as notes:
        payload = next(packages.into.glob(f"affectd-0.9.1-{proof.architecture}-*"))
        subprocess.run(["cp", "-r", str(payload), str(machine.root / "srv/proof/payload")], check=True)
        machine.run("sh /srv/proof/payload/setup install")
        before = proof.process()
        content, said = apt(machine, "install", "/srv/proof/affectd_0.9.1_*.deb")
        assert not content
        assert "make install has put affectd here" in sentence(said), said
        assert proof.process() == before
        notes.append(f"it said: `{sentence(said)}`")
        machine.run("/opt/affectd/current/setup uninstall")
        content, said = apt(machine, "install", "/srv/proof/affectd_0.9.1_*.deb")
        assert content, said
        _runs(proof, "0.9.1")
        notes.append("after the uninstallation that it asks for, it is installed")


def _runs(proof: Proof, version: str) -> None:
    machine = proof.machine
    machine.run("systemctl is-active --wait affectd")
    assert proof.version() == version
    releases = machine.run("ls /opt/affectd/releases").split()
    assert len(releases) == 1, releases
    main = machine.run("systemctl show -p MainPID --value affectd").strip()
    assert f"/releases/{version}-" in machine.run(
        f"tr '\\0' ' ' < /proc/{main}/cmdline; readlink -f /opt/affectd/current"
    ), releases


def _wait_until_online(machine: Debian) -> None:
    """Listening comes first, the broker a moment later."""
    topic, deadline = "affectd/proof/status", time.monotonic() + 180
    while retained(machine.mqtt_port, topic).get(topic) != b"online":
        assert time.monotonic() < deadline, machine.run("journalctl -u affectd -n 20 --no-pager")
        time.sleep(0.5)


def _left(machine: Debian, before: set[str]) -> set[str]:
    """What is there of affectd and was not before; the proof's own files apart."""
    own = ("/srv/proof", "/etc/systemd/system/affectd.service.d")
    return {path for path in files(machine) - before if "affectd" in path and not path.startswith(own)}


def _same_version(sources: Path) -> None:
    replace(sources / "edge/__init__.py", r'__version__ = ".*"', '__version__ = "0.9.0"')


def _narrow_with_another_unit(sources: Path) -> None:
    narrow_node(sources)
    replace(sources / "systemd/affectd.service", "Description=affectd:", "Description=affectd, narrowed:")


def main() -> int:
    parser = argparse.ArgumentParser(description="Installs the Debian package on Debians of its own and breaks it.")
    parser.add_argument("--architecture", type=canonical, default="aarch64", help="arm64 or amd64")
    parser.add_argument("--cache", type=Path, default=ROOT / ".cache/proof")
    parser.add_argument("--suite", choices=_SUITES, action="append", help="default: both")
    parser.add_argument("--summary", type=Path, help="a folder: write package-ARCHITECTURE-SUITE.md there")
    parser.add_argument("--quick", action="store_true", help="leave out the power cut and other installations")
    options = parser.parse_args()
    cache = options.cache.resolve()
    with tempfile.TemporaryDirectory(prefix="affectd-proof-") as scratch:
        packages = Packages(options.architecture, Path(scratch), cache / "dist")
        for suite in options.suite or _SUITES:
            folder = options.architecture if suite == "bookworm" else f"{options.architecture}-{suite}"
            print(f"= {suite}, {options.architecture}", flush=True)
            with booted(options.architecture, cache / folder, suite) as machine:
                name = f"package-{DEBIAN[options.architecture]}-{suite}.md"
                record = pages.recording(options.summary and options.summary / name, pages.package(suite))
                proof = Proof(machine, options.architecture, Path(scratch), record)
                before = files(machine)
                if "0.9.0" not in packages.built:
                    reproducible(proof, packages)
                first_installation(proof, packages)
                upgrades(proof, packages)
                if not options.quick:
                    power_cut(proof, packages)
                    other_systems(proof, packages)
                removal(proof, packages, before)
                if not options.quick:
                    beside_make_install(proof, packages)
    return 0


if __name__ == "__main__":
    sys.exit(main())
