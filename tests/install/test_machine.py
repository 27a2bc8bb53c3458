import ast

import pytest

from install.device.machine import Machine, mismatch, parse_python, refusal
from tests.conftest import ROOT


@pytest.mark.parametrize("architecture", ["aarch64", "arm64", "x86_64", "amd64"])
@pytest.mark.parametrize("minor", [11, 12, 13])
def test_a_machine_that_the_wheels_exist_for_is_taken(architecture: str, minor: int) -> None:
    assert refusal(Machine(architecture, 64, (3, minor))) is None


@pytest.mark.parametrize(
    ("machine", "says"),
    [
        (Machine("armv7l", 32, (3, 11)), "a 32-bit system"),
        (Machine("armv6l", 32, (3, 9)), "a 32-bit system"),
        (Machine("aarch64", 32, (3, 11)), "with 32-bit programs"),
        (Machine("riscv64", 64, (3, 11)), "riscv64"),
        (Machine("aarch64", 64, (3, 9)), "Python 3.11 or later, and this machine has 3.9"),
        (Machine("aarch64", 64, (3, 14)), "this machine has 3.14"),
    ],
)
def test_any_other_is_refused_in_one_sentence(machine: Machine, says: str) -> None:
    reason = refusal(machine)
    assert reason is not None
    assert says in reason
    assert "\n" not in reason


def test_the_width_of_addresses_is_the_first_thing_said() -> None:
    """A 32-bit system that has everything wrong hears of the 64-bit one first."""
    reason = refusal(Machine("armv7l", 32, (3, 7)))
    assert reason is not None
    assert reason.startswith("affectd needs a 64-bit operating system")


def test_wheels_for_another_machine_are_refused_with_the_command_for_the_right_ones() -> None:
    reason = mismatch(Machine("arm64", 64, (3, 13)), "x86_64", ((3, 11),))
    assert reason is not None
    assert "make wheelhouse ARCH=aarch64 PYTHON=3.13" in reason
    assert mismatch(Machine("arm64", 64, (3, 13)), "aarch64", ((3, 11), (3, 13))) is None


@pytest.mark.parametrize("text", ["3", "", "three.eleven"])
def test_what_is_no_version_is_no_version(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        parse_python(text)


def test_an_old_python_can_read_the_program_far_enough_to_be_told_that_it_is_old() -> None:
    program = (ROOT / "install/device/__main__.py").read_text()
    ast.parse(program, feature_version=(3, 7))
    assert program.index("version_info") < program.index("install.device.cli")
    for module in ("__init__.py", "device/__init__.py"):  # what Python reads before
        assert not ast.parse((ROOT / "install" / module).read_text()).body[1:]
