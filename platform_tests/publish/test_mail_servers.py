"""Mail over encrypted connections, and by SES."""

import ssl
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import boto3
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import SecretStr

from platform_tests.publish import mail_server, s3_proxy
from platform_tests.publish.offices import ANN, BOB, FROM, Office

# Encrypted


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Of `localhost`, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))])
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    encoding, no_password = serialization.Encoding.PEM, serialization.NoEncryption()
    file = tmp_path / "certificate.pem"
    private = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, no_password)
    file.write_bytes(private + signed.public_bytes(encoding))
    return file


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@pytest.mark.parametrize("is_wrapped", [False, True], ids=["starttls", "smtps"])
def test_a_connection_is_encrypted_where_the_server_can(
    office: Office, tls: ssl.SSLContext, certificate: Path, monkeypatch: pytest.MonkeyPatch, is_wrapped: bool
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with mail_server.listening(tls, is_wrapped=is_wrapped) as private:
        url = private.url("clerk:hunter2", "smtps" if is_wrapped else "smtp")
        assert office.tell(ANN, mail_url=SecretStr(url)) == []
        [mail] = private.mails
        assert mail.is_private
        assert mail.login == ("clerk", "hunter2")


@pytest.mark.parametrize("is_wrapped", [False, True], ids=["starttls", "smtps"])
def test_a_server_that_cannot_prove_who_it_is_gets_neither_password_nor_mail(
    office: Office, tls: ssl.SSLContext, is_wrapped: bool
) -> None:
    with mail_server.listening(tls, is_wrapped=is_wrapped) as stranger:
        url = stranger.url("clerk:hunter2", "smtps" if is_wrapped else "smtp")
        [failure] = office.tell(ANN, mail_url=SecretStr(url))
        assert "certificate" in failure.lower()
        assert not {"AUTH", f"MAIL FROM:<{FROM}>"} & set(stranger.heard)
        assert stranger.mails == []


def test_a_server_that_will_not_encrypt_after_all_gets_neither_password_nor_mail(
    office: Office, tls: ssl.SSLContext
) -> None:
    with mail_server.listening(tls) as unwilling:
        unwilling.answers["STARTTLS"] = "454 not now"
        [failure] = office.tell(ANN, mail_url=SecretStr(unwilling.url("clerk:hunter2")))
        assert "454" in failure
        assert "AUTH" not in unwilling.heard


# SES


def sent_by_ses() -> list[Any]:
    from moto.core.models import DEFAULT_ACCOUNT_ID
    from moto.ses.models import ses_backends

    return ses_backends[DEFAULT_ACCOUNT_ID]["us-east-1"].sent_messages


@pytest.fixture
def ses(cloud: Office, s3_endpoint: str) -> Office:
    """Reports in S3, mail by SES."""
    client: Any = boto3.client("ses", endpoint_url=s3_endpoint, region_name="us-east-1")
    client.verify_email_identity(EmailAddress=FROM)
    sent_by_ses().clear()
    settings = {"mail_url": SecretStr(f"ses://us-east-1?endpoint={s3_endpoint}")}
    return replace(cloud, settings=cloud.settings | settings)


def test_ses_sends_each_recipient_one_mail_with_the_files(ses: Office) -> None:
    assert ses.tell() == []
    assert ses.tell() == []
    sent = sent_by_ses()
    assert [{*mail.destinations} for mail in sent] == [{ANN}, {BOB}]
    assert [mail.source for mail in sent] == [FROM, FROM]
    assert all('filename="meters_2023-07-03_v1.csv"' in mail.raw_data for mail in sent)
    assert ses.booked() == [(ANN, 1, True, False), (BOB, 1, True, False)]


def test_what_ses_refuses_is_one_sentence_and_goes_the_next_time(ses: Office) -> None:
    [failure] = ses.tell(ANN, mail_from="stranger@example.net")
    assert "MessageRejected" in failure
    assert sent_by_ses() == []
    assert ses.tell(ANN) == []
    assert len(sent_by_ses()) == 1


def test_ses_without_credentials_is_one_sentence(ses: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"):
        monkeypatch.delenv(f"AWS_{name}")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", "/nonexistent")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it remembers credentials
    [failure] = ses.tell(ANN)
    assert "NoCredentialsError" in failure


def test_a_mail_whose_receipt_from_ses_is_lost_is_not_handed_over_again_by_the_same_call(
    ses: Office, s3_endpoint: str
) -> None:
    with s3_proxy.before(s3_endpoint) as proxy:
        proxy.fail("lost", method="POST", times=1)
        ses.tell(ANN, mail_url=SecretStr(f"ses://us-east-1?endpoint={proxy.url}"))
        assert len(sent_by_ses()) == 1
