"""Makes what the virtual machines start from: `python -m tests.vm.prepare`.

All that takes a way out to other networks, which the machines have not: the box, the images of
Docker's that they are given, and a copy of this folder as a fresh clone has it.
"""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from lab.config.paths import FOLDER
from lab.release import images
from tests.vm.place import BOX, BOXES, CLONE, IMAGES, RUN

BOX_SOURCES = ("provision/box.sh", "provision/node/packages")
REGISTRY = "ubuntu1:5000"
WEB = ("webapp_django", "webapp_nginx", "webapp_static")


def output(*command: str) -> str:
    return subprocess.run(
        command, cwd=FOLDER, stdout=subprocess.PIPE, text=True, check=True
    ).stdout.strip()


def make_box() -> None:
    sources = b"".join((FOLDER / source).read_bytes() for source in BOX_SOURCES)
    wanted, made = hashlib.sha256(sources).hexdigest(), BOX.with_suffix(".digest")
    if BOX.exists() and made.exists() and made.read_text() == wanted:
        return
    print("tests: making the box", flush=True)
    subprocess.run(("provision/box.sh", "qemu", str(BOX)), cwd=FOLDER, check=True)
    made.write_text(wanted)


def save_node_image() -> None:
    """The node of the docker provider, as lab.rb names it."""
    image = f"lab-node:{output('provision/node-digest', 'image')}"
    saved = IMAGES / f"{image.replace(':', '-')}.tar"
    if saved.exists():
        return
    if subprocess.run(
        ("docker", "image", "inspect", image), capture_output=True, check=False
    ).returncode:
        subprocess.run(("provision/node-image.sh", image), cwd=FOLDER, check=True)
    save(("docker",), (image,), "lab-node", saved)


def save_web_images() -> None:
    """Of a docker lab on this machine that has those of these sources; none if there is none."""
    tags = images.tags()
    wanted = tuple(images.reference(REGISTRY, name, tags[name]) for name in WEB)
    saved = IMAGES / f"web-{'-'.join(tags[name] for name in WEB)}.tar"
    if saved.exists():
        return
    nodes = output("docker", "ps", "--filter", "label=lab.name", "--format", "{{.Names}}").split()
    for node in nodes:
        docker = ("docker", "exec", node, "docker")
        if not subprocess.run(
            (*docker, "image", "inspect", *wanted), capture_output=True, check=False
        ).returncode:
            save(docker, wanted, "web", saved)
            return
    remove("web")
    print("tests: no docker lab here has the web images of these sources (`make up`)", flush=True)


def save(docker: tuple[str, ...], names: tuple[str, ...], kind: str, file: Path) -> None:
    """Saves images of a Docker's in place of those that the last run was given."""
    print("tests: saving", *names, flush=True)
    part = file.with_suffix(".part")
    with part.open("wb") as stream:
        subprocess.run((*docker, "save", *names), stdout=stream, check=True)
    remove(kind)
    part.rename(file)


def remove(kind: str) -> None:
    for old in IMAGES.glob(f"{kind}-*.tar"):
        old.unlink()


def copy_folder() -> None:
    """As a clone has it, edits that are not committed too; the small lab's lab.yml in it."""
    listing = ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    files = subprocess.run(listing, cwd=FOLDER, stdout=subprocess.PIPE, check=True).stdout
    copying = ("rsync", "--archive", "--from0", "--files-from=-", "--ignore-missing-args")
    subprocess.run((*copying, f"{FOLDER}/", f"{CLONE}/"), input=files, check=True)
    shutil.copy(FOLDER / "tests" / "vm" / "lab.yml", CLONE / "lab.yml")


def main() -> int:
    shutil.rmtree(RUN, ignore_errors=True)
    for folder in (IMAGES, CLONE, BOXES):
        folder.mkdir(parents=True, exist_ok=True)
    copy_folder()
    try:
        make_box()
        save_node_image()
        save_web_images()
    except subprocess.CalledProcessError as error:
        # It has said why.
        return error.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
