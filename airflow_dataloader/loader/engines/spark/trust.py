"""Whom a Java from the package index trusts: those that this Python trusts."""

from __future__ import annotations

import ssl
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
    try:
        from cryptography import x509
        from cryptography.hazmat.primitives.serialization import BestAvailableEncryption
        from cryptography.hazmat.primitives.serialization.pkcs12 import (
            PKCS12Certificate,
            serialize_java_truststore,
        )
    except ImportError:
        return []
    authorities = ssl.create_default_context().get_ca_certs(binary_form=True)
    if not authorities:
        return []
    entries = [
        PKCS12Certificate(x509.load_der_x509_certificate(der), f"ca-{number}".encode())
        for number, der in enumerate(authorities)
    ]
    store = work / "trust.p12"
    store.write_bytes(serialize_java_truststore(entries, BestAvailableEncryption(_PASSWORD.encode())))
    return [
        f"-Djavax.net.ssl.trustStore={store}",
        "-Djavax.net.ssl.trustStoreType=PKCS12",
        f"-Djavax.net.ssl.trustStorePassword={_PASSWORD}",
    ]
