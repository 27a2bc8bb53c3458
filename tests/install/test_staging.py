"""Installing into a staging folder, and out of it again, by the setup program that devices run."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from install.device import release, removal, upgrade
from install.device.errors import InstallError
from install.device.layout import Layout
from install.device.payload import Payload, load, seal
from tests.install.conftest import Make


@pytest.fixture
def stage(tmp_path: Path) -> Path:
    """A staging folder that holds something of somebody else."""
    folder = tmp_path / "stage"
    (folder / "etc/affectd-like").mkdir(parents=True)
    (folder / "etc/affectd-like/file").write_text("not ours\n")
    return folder


class Done(NamedTuple):
    code: int
    out: str
    err: str


def setup(payload: Payload, action: str, stage: Path, *options: str) -> Done:
    done = subprocess.run(
        ["sh", str(payload.folder / "setup"), action, "--destdir", str(stage), *options],
        env={**os.environ, "PYTHON": sys.executable}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return Done(done.returncode, done.stdout, done.stderr)


def files(folder: Path) -> dict[str, bytes | str]:
    """Every path under ``folder`` with its content, or where it links to."""
    return {
        str(path.relative_to(folder)): (
            str(path.readlink()) if path.is_symlink() else path.read_bytes() if path.is_file() else "folder"
        )
        for path in folder.rglob("*")
    }


def test_uninstall_removes_every_file_that_install_brought(payload: Make, stage: Path) -> None:
    before = files(stage)
    one = payload("1.0")
    assert setup(one, "install", stage).code == 0
    brought = files(stage).keys() - before.keys()
    assert {
        "etc/affectd/config.yaml", "etc/sysusers.d/affectd.conf", "etc/tmpfiles.d/affectd.conf",
        "usr/local/bin/affectd", "usr/local/lib/systemd/system/affectd.service",
        "usr/local/lib/systemd/system/affectd@.service", "opt/affectd/current",
    } <= brought  # fmt: skip
    assert all(path.split("/")[0] in {"etc", "usr", "opt"} for path in brought)
    assert setup(one, "uninstall", stage).code == 0
    assert files(stage) == before


def test_what_no_device_runs_is_not_left_on_its_card(payload: Make, stage: Path) -> None:
    setup(payload("1.0"), "install", stage)
    left = {path.name for path in stage.glob("opt/affectd/current/lib/python3*/site-packages/onnxruntime/**/*")}
    assert "pybind.py" in left
    assert not {name for name in left if name == "tools" or name.startswith("libonnxruntime.so")}


def test_what_the_user_wrote_stays(payload: Make, stage: Path) -> None:
    one = payload("1.0")
    setup(one, "install", stage)
    configuration = stage / "etc/affectd/config.yaml"
    configuration.write_text("node: mine\n")
    (stage / "etc/affectd/kitchen.yaml").write_text("node: kitchen\n")
    done = setup(one, "uninstall", stage)
    assert configuration.read_text() == "node: mine\n"
    assert "config.yaml" in done.out
    assert "kitchen.yaml" in done.out
    left = {path for path in files(stage) if not path.startswith("etc/affectd-like")}
    assert left == {"etc", "etc/affectd", "etc/affectd/config.yaml", "etc/affectd/kitchen.yaml"}


def test_installing_again_changes_nothing(payload: Make, stage: Path) -> None:
    one = payload("1.0")
    setup(one, "install", stage)
    first = files(stage)
    done = setup(one, "install", stage)
    assert done.code == 0
    assert "is there already" in done.out
    assert files(stage) == first


def test_no_installed_file_knows_of_the_staging_folder_or_of_the_payload(payload: Make, stage: Path) -> None:
    one = payload("1.0")
    setup(one, "install", stage, "--prefix", "/srv/elsewhere")
    for path, content in files(stage).items():
        text = content.encode() if isinstance(content, str) else content
        assert str(stage).encode() not in text, path
        assert str(one.folder).encode() not in text, path
    unit = (stage / "usr/local/lib/systemd/system/affectd.service").read_text()
    assert "ExecStart=/srv/elsewhere/current/bin/affectd run" in unit
    assert not re.search(r"@[A-Z]+@", unit)


def test_an_upgrade_keeps_the_configuration_and_replaces_the_program(payload: Make, stage: Path) -> None:
    setup(payload("1.0"), "install", stage)
    configuration = stage / "etc/affectd/config.yaml"
    configuration.write_text("node: mine\n")
    assert setup(payload("2.0"), "install", stage).code == 0
    assert configuration.read_text() == "node: mine\n"
    assert (stage / "opt/affectd/current").readlink().name.startswith("2.0-")


def torn(payload: Payload) -> None:
    next((payload.folder / "wheels").glob("affectd-*")).write_bytes(b"half of it")


def without_a_wheel(payload: Payload) -> None:
    next((payload.folder / "wheels").glob("affectd-*")).unlink()


def without_its_card(payload: Payload) -> None:
    (payload.folder / "payload.json").unlink()


def with_torn_sums(payload: Payload) -> None:
    sums = payload.folder / "SHA256SUMS"
    sums.write_text(sums.read_text()[:200])


@pytest.mark.parametrize("damage", [torn, without_a_wheel, without_its_card, with_torn_sums])
def test_a_half_copied_payload_is_refused_and_the_old_version_stays(
    payload: Make, stage: Path, damage: Callable[[Payload], None]
) -> None:
    setup(payload("1.0"), "install", stage)
    before = files(stage)
    new = payload("2.0")
    damage(new)
    done = setup(new, "install", stage)
    assert done.code == 1
    assert done.err.count("\n") == 1
    assert "copy it again" in done.err
    assert files(stage) == before


def test_a_wheel_that_is_not_the_pinned_one_is_refused_and_nothing_of_it_stays(payload: Make, stage: Path) -> None:
    setup(payload("1.0"), "install", stage)
    before = files(stage)
    new = payload("2.0")
    requirements = new.folder / "requirements.txt"
    requirements.write_text(requirements.read_text().replace("sha256:", "sha256:0")[:-2] + "\n")
    done = setup(seal(new.folder, new.version, new.architecture, new.pythons), "install", stage)
    assert done.code == 1
    assert "the wheels could not be installed" in done.err
    assert "1.0-" in done.err
    assert files(stage) == before


def test_wheels_of_another_architecture_are_refused(payload: Make, stage: Path) -> None:
    one = payload("1.0")
    seal(one.folder, "1.0", "riscv64", one.pythons)
    done = setup(one, "install", stage)
    assert done.code == 1
    assert "make wheelhouse ARCH=" in done.err


def test_a_full_disk_is_noticed_before_anything_is_written(
    payload: Make, stage: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_folder: Path) -> object:
        return type("Usage", (), {"free": 5 << 20})()

    monkeypatch.setattr("install.device.release.shutil.disk_usage", full)
    with pytest.raises(InstallError, match=r"the disk is too full: .* has 5 MB left"):
        release.build(load(payload("1.0").folder), Layout(stage))
    assert not any((stage / "opt/affectd/releases").iterdir())


def test_a_disk_that_fills_up_meanwhile_leaves_the_old_version(
    payload: Make, stage: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    setup(payload("1.0"), "install", stage)
    before = files(stage)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", str(stage / "opt"))

    new = load(payload("2.0").folder)
    monkeypatch.setattr("install.device.release.shutil.copytree", full)
    with pytest.raises(InstallError, match="No space left on device"):
        release.build(new, Layout(stage))
    assert files(stage) == before


def test_power_cut_in_the_middle_leaves_the_old_version_and_the_next_run_cleans_up(payload: Make, stage: Path) -> None:
    setup(payload("1.0"), "install", stage)
    current = (stage / "opt/affectd/current").readlink()
    new = payload("2.0")
    unfinished = stage / "opt/affectd/releases" / new.release
    (unfinished / "bin").mkdir(parents=True)
    (unfinished / "bin/affectd").write_text("half a script")
    assert (stage / "opt/affectd/current").readlink() == current
    assert setup(new, "install", stage).code == 0
    assert (unfinished / "complete").exists()
    assert (unfinished / "bin/affectd").read_text() != "half a script"


def test_two_installations_do_not_meet(payload: Make, stage: Path) -> None:
    import fcntl

    folder = stage / "opt/affectd"
    folder.mkdir(parents=True)
    descriptor = os.open(folder, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    done = setup(payload("1.0"), "install", stage)
    os.close(descriptor)
    assert done.code == 1
    assert "another installation is at work" in done.err


def test_a_relative_staging_folder_is_refused(payload: Make) -> None:
    assert setup(payload("1.0"), "install", Path("somewhere")).code == 2


def test_a_package_places_and_removes_nothing_but_its_environment(payload: Make, stage: Path) -> None:
    before = files(stage)
    layout = Layout(stage, packaged=True)
    held = [*layout.units()]
    for unit in held:  # as preinst leaves them for the release before
        unit.parent.mkdir(parents=True, exist_ok=True)
        unit.write_text("[Unit]\n")
    assert setup(payload("1.0"), "install", stage, "--packaged").code == 0
    assert not any(unit.exists() for unit in held)
    brought = {path for path, content in files(stage).items() if path not in before and content != "folder"}
    assert all(path.startswith("opt/affectd/") for path in brought)
    removal._remove_program(layout)
    assert not layout.current.is_symlink()
    assert not layout.releases.exists()


def test_a_package_that_fails_says_how_to_go_on(payload: Make, stage: Path) -> None:
    old = payload("1.0")
    setup(old, "install", stage, "--packaged")
    layout = Layout(packaged=True)
    said = upgrade._what_runs(Path(old.release), layout)
    assert "is still the one that runs" in said
    assert "sudo dpkg --configure affectd" in said
