"""The app's image without docker: the lines of its Dockerfile, carried out in a Debian root. Needs root.

``python -m tests.homeassistant.image FOLDER``
"""

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from install import app
from tests.conftest import ROOT


def instructions(dockerfile: Path) -> Iterator[tuple[str, str]]:
    """Each instruction of a Dockerfile and its argument, with continued lines joined."""
    lines = [line for line in dockerfile.read_text().splitlines() if not line.lstrip().startswith("#")]
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        if line.strip():
            name, _, argument = line.partition(" ")
            yield name, argument.strip()


def command(dockerfile: Path) -> list[str]:
    """What the image starts."""
    return list(json.loads(dict(instructions(dockerfile))["CMD"]))


def build(root: Path) -> None:
    """Make the image's root folder, once."""
    if (root / "srv" / "ready").exists():
        return
    shutil.rmtree(root, ignore_errors=True)
    context = app.gather(ROOT, root.parent / "app") / "affectd"
    for name, argument in instructions(context / "Dockerfile"):
        match name:
            case "FROM":
                suite = argument.removeprefix("debian:").removesuffix("-slim")
                root.mkdir(parents=True)
                subprocess.run(["mmdebstrap", "--mode=root", "--variant=minbase", suite, root], check=True)
                # As Debian's own image has it: what is thrown away need not outlast a power cut.
                (root / "etc/dpkg/dpkg.cfg.d/docker-apt-speedup").write_text("force-unsafe-io\n")
            case "COPY":
                source, target = shlex.split(argument)
                copy = shutil.copytree if (context / source).is_dir() else shutil.copy
                copied = root / target.lstrip("/")
                copied.parent.mkdir(parents=True, exist_ok=True)
                copy(context / source, copied)
            case "RUN":
                # This machine's authorities and resolver: it may stand behind a proxy of its own. Before each line,
                # since installing ca-certificates replaces them.
                for file in ("etc/resolv.conf", "etc/hosts", "etc/ssl/certs/ca-certificates.crt"):
                    (root / file).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(f"/{file}", root / file)
                subprocess.run([*inside(root), "sh", "-c", argument], check=True)
    (root / "srv" / "ready").touch()


def inside(root: Path) -> list[str]:
    """The command that enters the root, with /proc and /dev there for it alone."""
    enter = 'mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" && exec chroot "$0" "$@"'
    return ["unshare", "--mount", "sh", "-c", enter, str(root), "/usr/bin/env", "-C", "/"]


if __name__ == "__main__":
    os.environ["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin"
    build(Path(sys.argv[1]).absolute())
