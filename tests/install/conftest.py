"""A payload as small as one can be: the real setup program, and a program to install that does next to nothing."""

import ensurepip
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from install import notice
from install.device.machine import Machine, canonical
from install.device.payload import Payload, seal
from install.wheelhouse import copy_program, requirement
from tests.conftest import ROOT

_PIP_FOLDERS = (Path(ensurepip.__file__).parent / "_bundled", Path("/usr/share/python-wheels"))

Make = Callable[[str], Payload]


@pytest.fixture
def payload(tmp_path: Path) -> Make:
    """Makes a payload of a version for this machine."""

    def make(version: str) -> Payload:
        folder = tmp_path / f"payload-{version}"
        wheels = folder / "wheels"
        wheels.mkdir(parents=True)
        pip = next(wheel for place in _PIP_FOLDERS for wheel in place.glob("pip-*.whl"))
        (wheels / pip.name).write_bytes(pip.read_bytes())
        wheel = _wheel(wheels, version)
        (folder / "requirements.txt").write_text(requirement(wheel, folder))
        copy_program(ROOT, folder)
        (folder / "NOTICE").write_text(notice.render([wheels / pip.name]))
        here = Machine.here()
        return seal(folder, version, canonical(here.architecture), (here.python,))

    return make


def _wheel(folder: Path, version: str) -> Path:
    path = folder / f"affectd-{version}-py3-none-any.whl"
    info = f"affectd-{version}.dist-info"
    files = {
        "edge/__init__.py": f"__version__ = {version!r}\n",
        "edge/cli.py": "from edge import __version__\n\n\ndef main():\n    print('affectd', __version__)\n",
        "onnxruntime/capi/pybind.py": "",
        "onnxruntime/capi/libonnxruntime.so.1.99.0": "the second copy",
        "onnxruntime/tools/__init__.py": "",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: affectd\nVersion: {version}\nLicense: MIT\n",
        f"{info}/LICENSE": "as MIT has it\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "[console_scripts]\naffectd = edge.__main__:main\n",
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
        archive.writestr(f"{info}/RECORD", "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"]))
    return path
