"""One authority, and a certificate for everybody who talks to the API server. Made once a lab."""

from __future__ import annotations

import base64
import datetime
import ipaddress
import json
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lab.addresses import API_PORT, API_SERVICE, DOMAIN, HUB, Link, node_address, node_name
from lab.paths import Paths

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

VALID_FROM = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
VALID_TO = datetime.datetime(2120, 1, 1, tzinfo=datetime.UTC)
"""Fixed, so that a machine with a wrong clock has a lab too."""

MASTERS = "system:masters"


def ensure(paths: Paths, link: Link, nodes: int) -> bool:
    """Makes keys, certificates and kubeconfigs unless they are there; True if they were made."""
    if paths.pki.is_dir():
        return False
    new = paths.pki.with_suffix(".new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(mode=0o700, parents=True)
    authority = Authority(new)
    authority.serving("apiserver", "kube-apiserver", _api_names(link))
    authority.client("apiserver-kubelet-client", "kube-apiserver-kubelet-client", MASTERS)
    clients = {
        "admin": ("admin", MASTERS),
        # What GKE runs in pods with roles of their own runs in the hub: DNS, attacher, resizer.
        "hub": ("hub", MASTERS),
        "controller-manager": ("system:kube-controller-manager", None),
        "scheduler": ("system:kube-scheduler", None),
        "proxy": ("system:kube-proxy", None),
    }
    for name, (user, group) in clients.items():
        authority.client(name, user, group)
        authority.kubeconfig(name, HUB)
    for node in range(1, nodes + 1):
        name = node_name(node)
        authority.node(name, node_address(node))
        authority.kubeconfig(name, HUB)
    authority.kubeconfig("machine", link.hub, user="admin")
    _service_account_key(new)
    new.rename(paths.pki)
    return True


class Authority:
    """Signs certificates and writes them, with their keys, into a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = _name("gluster-lab", None)
        certificate = (
            _builder(self.name, self.name, self.key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self.key, hashes.SHA256())
        )
        self._write("ca", self.key, certificate)

    def serving(self, name: str, user: str, names: Iterable[x509.GeneralName]) -> None:
        self._sign(name, _name(user, None), [ExtendedKeyUsageOID.SERVER_AUTH], names)

    def client(self, name: str, user: str, group: str | None) -> None:
        self._sign(name, _name(user, group), [ExtendedKeyUsageOID.CLIENT_AUTH], [])

    def node(self, name: str, address: str) -> None:
        """A kubelet's: it asks the API server and serves it."""
        usages = [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
        names = [x509.DNSName(name), x509.IPAddress(ipaddress.ip_address(address))]
        self._sign(name, _name(f"system:node:{name}", "system:nodes"), usages, names)

    def kubeconfig(self, name: str, server: str, user: str | None = None) -> None:
        def data(file: str) -> str:
            return base64.b64encode((self.folder / file).read_bytes()).decode()

        user = user or name
        cluster = {
            "server": f"https://{server}:{API_PORT}",
            "certificate-authority-data": data("ca.crt"),
        }
        credentials = {
            "client-certificate-data": data(f"{user}.crt"),
            "client-key-data": data(f"{user}.key"),
        }
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "lab", "cluster": cluster}],
            "users": [{"name": user, "user": credentials}],
            "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": user}}],
            "current-context": "lab",
        }
        file = self.folder / f"{name}.kubeconfig"
        file.write_text(json.dumps(document, indent=2) + "\n")
        file.chmod(0o600)

    def _sign(
        self,
        name: str,
        subject: x509.Name,
        usages: Sequence[x509.ObjectIdentifier],
        names: Iterable[x509.GeneralName],
    ) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(subject, self.name, key).add_extension(
            x509.ExtendedKeyUsage(usages), critical=False
        )
        if alternatives := list(names):
            builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        self._write(name, key, builder.sign(self.key, hashes.SHA256()))

    def _write(self, name: str, key: Key, certificate: x509.Certificate) -> None:
        (self.folder / f"{name}.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        _write_key(self.folder / f"{name}.key", key)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(VALID_FROM)
        .not_valid_after(VALID_TO)
    )


def _name(user: str, group: str | None) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.COMMON_NAME, user)]
    if group is not None:
        parts.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, group))
    return x509.Name(parts)


def _api_names(link: Link) -> list[x509.GeneralName]:
    names = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost"]
    names.append(f"kubernetes.default.svc.{DOMAIN}")
    addresses = [HUB, API_SERVICE, link.hub, "127.0.0.1"]
    return [*map(x509.DNSName, names), *(x509.IPAddress(ipaddress.ip_address(a)) for a in addresses)]


def _service_account_key(folder: Path) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    _write_key(folder / "service-account.key", key)
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    (folder / "service-account.pub").write_bytes(public)


def _write_key(file: Path, key: Key) -> None:
    file.touch(mode=0o600)
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )
