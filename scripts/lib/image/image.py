"""Writes a container image with one program and the libraries that it needs, without a daemon and without a base image.

usage: image.py PROGRAM ARCHITECTURE ARCHIVE

ARCHIVE is an OCI layout in a tar file, which `docker load`, `podman load` and `skopeo copy oci-archive:` read. It has one
layer: the program as /stint, its dynamic libraries and the loader at their paths, the certificates of this machine's
authorities, an empty /tmp, and /var/lib/stint, which belongs to the user 65532. The same files give the same archive.
"""

import gzip
import hashlib
import io
import json
import re
import subprocess
import sys
import tarfile
from pathlib import Path

USER = 65532
HOME = "var/lib/stint"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
ACCOUNTS = f"root:x:0:0:root:/:/nologin\nstint:x:{USER}:{USER}:stint:/{HOME}:/nologin\n"
GROUPS = f"root:x:0:\nstint:x:{USER}:\n"
PLATFORMS = {"x86_64": "amd64", "arm64": "arm64"}

# From the program's libraries to their files, as the loader finds them on this machine.
LIBRARY = re.compile(r"(?:=> )?(/\S+) \(0x[0-9a-f]+\)")


def libraries(program: Path) -> list[Path]:
    """Returns the files of the libraries that a program needs; none if it is static."""
    found = subprocess.run(["ldd", program], capture_output=True, text=True, check=False)
    if "not found" in found.stdout:
        raise SystemExit(f"image.py: a library is missing:\n{found.stdout}")
    return sorted({Path(path) for path in LIBRARY.findall(found.stdout)})


class Layer:
    """A layer under construction."""

    def __init__(self) -> None:
        self.bytes = io.BytesIO()
        self.tar = tarfile.open(fileobj=self.bytes, mode="w", format=tarfile.PAX_FORMAT)
        self.folders: set[str] = set()

    def folder(self, path: str, mode: int = 0o755, user: int = 0) -> None:
        """Adds a folder, and the folders that it is in."""
        parent = str(Path(path).parent)
        if parent != ".":
            self.folder(parent)
        if path not in self.folders:
            self.folders.add(path)
            entry = tarfile.TarInfo(path)
            entry.type, entry.mode, entry.uid, entry.gid = tarfile.DIRTYPE, mode, user, user
            self.tar.addfile(entry)

    def file(self, path: str, content: bytes, mode: int = 0o644) -> None:
        """Adds a file of root."""
        parent = str(Path(path).parent)
        if parent != ".":
            self.folder(parent)
        entry = tarfile.TarInfo(path)
        entry.size, entry.mode = len(content), mode
        self.tar.addfile(entry, io.BytesIO(content))

    def close(self) -> bytes:
        """Returns the layer's archive."""
        self.tar.close()
        return self.bytes.getvalue()


def layer(program: Path) -> bytes:
    """Returns the archive of the one layer."""
    made = Layer()
    made.folder("tmp", 0o1777)
    made.folder(HOME, 0o700, USER)
    made.file("etc/passwd", ACCOUNTS.encode())
    made.file("etc/group", GROUPS.encode())
    made.file(str(CERTIFICATES)[1:], CERTIFICATES.read_bytes())
    for library in libraries(program):
        made.file(str(library)[1:], library.read_bytes(), 0o755)
    made.file("stint", program.read_bytes(), 0o755)
    return made.close()


def config(architecture: str, layer_digest: str) -> dict:
    """Returns the image's configuration."""
    return {
        "architecture": PLATFORMS[architecture],
        "os": "linux",
        "config": {
            "User": f"{USER}:{USER}",
            "Entrypoint": ["/stint"],
            "Cmd": ["up"],
            "Env": [f"STINT_HOME=/{HOME}", "SSL_CERT_FILE=" + str(CERTIFICATES)],
            "WorkingDir": f"/{HOME}",
            "Volumes": {f"/{HOME}": {}},
            "StopSignal": "SIGTERM",
            # Docker's; OCI has no health check. Times are in nanoseconds.
            "Healthcheck": {
                "Test": ["CMD", "/stint", "status", "--health"],
                "Interval": 30_000_000_000,
                "Timeout": 5_000_000_000,
                "StartPeriod": 60_000_000_000,
                "Retries": 3,
            },
        },
        "rootfs": {"type": "layers", "diff_ids": [layer_digest]},
    }


def digest(content: bytes) -> str:
    """Returns the digest by which an image names a part."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


def archive(program: Path, architecture: str) -> bytes:
    """Returns the image."""
    plain = layer(program)
    packed = gzip.compress(plain, 9, mtime=0)
    blobs = [packed]

    def described(kind: str, content: bytes) -> dict:
        return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": digest(content), "size": len(content)}

    settings = json.dumps(config(architecture, digest(plain))).encode()
    manifest = json.dumps({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": described("config.v1+json", settings),
        "layers": [described("layer.v1.tar+gzip", packed)],
    }).encode()
    blobs += [settings, manifest]
    named = described("manifest.v1+json", manifest) | {
        "annotations": {
            "io.containerd.image.name": "docker.io/library/stint:latest",
            "org.opencontainers.image.ref.name": "latest",
        }
    }
    made = Layer()
    made.file("oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
    made.file("index.json", json.dumps({"schemaVersion": 2, "manifests": [named]}).encode())
    for blob in blobs:
        made.file("blobs/" + digest(blob).replace(":", "/"), blob)
    return made.close()


def main() -> None:
    """Writes the archive."""
    program, architecture, target = sys.argv[1:]
    Path(target).write_bytes(archive(Path(program), architecture))


if __name__ == "__main__":
    main()
