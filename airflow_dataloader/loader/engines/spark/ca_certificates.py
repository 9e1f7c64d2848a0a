"""Whom a Java from the package index trusts: those that this Python trusts."""

from __future__ import annotations

import ssl
import warnings
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from airflow_dataloader.loader.engines.spark.java import is_from_package_index

# Java wants a password around a list of public certificates; it guards nothing.
_PASSWORD = "changeit"  # noqa: S105 - not a secret


def trust_options(java: Path, work: Path) -> list[str]:
    """Return Java's options for a list of certificate authorities, written into the folder ``work``.

    The machine's own Java has its administrator's list and gets none of ours. The one from the package index
    has only the public list, which fails behind a company's proxy that SSL_CERT_FILE makes Python trust.
    """
    if not is_from_package_index(java):
        return []
    authorities = ssl.create_default_context().get_ca_certs(binary_form=True)
    store = work / "trust.p12"
    if not authorities or not _write(store, authorities):
        return []
    return [
        f"-Djavax.net.ssl.trustStore={store}",
        "-Djavax.net.ssl.trustStoreType=PKCS12",
        f"-Djavax.net.ssl.trustStorePassword={_PASSWORD}",
    ]


def _write(store: Path, authorities: Sequence[bytes]) -> bool:
    """Write certificates (DER) as Java reads them; return False where cryptography is not installed."""
    try:
        from cryptography import x509
        from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12
    except ImportError:
        return False
    entries = []
    with warnings.catch_warnings():
        # Old authorities bend the rules of certificates; one that cannot be read cannot be trusted either.
        warnings.simplefilter("ignore")
        for number, der in enumerate(authorities):
            with suppress(ValueError):
                certificate = x509.load_der_x509_certificate(der)
                entries.append(pkcs12.PKCS12Certificate(certificate, f"ca-{number}".encode()))
    password = BestAvailableEncryption(_PASSWORD.encode())
    store.write_bytes(pkcs12.serialize_java_truststore(entries, password))
    return True
