"""Making a TLS context: a handshake with a good one, and what is said about each bad file and option."""

import ssl
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from monoceros.errors import StartupError
from monoceros.resources.tls import make_context


class Files(NamedTuple):
    """PEM files of one certificate, and of a key that isn't its own."""

    ca: Path
    cert: Path
    key: Path
    both: Path
    other_key: Path
    encrypted_key: Path
    junk: Path


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    directory = tmp_path_factory.mktemp("tls")
    paths = Files(*(directory / f"{name}.pem" for name in Files._fields))
    authority = trustme.CA()
    issued = authority.issue_cert("localhost")
    paths.ca.write_bytes(authority.cert_pem.bytes())
    paths.cert.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    paths.key.write_bytes(issued.private_key_pem.bytes())
    paths.both.write_bytes(issued.private_key_and_cert_chain_pem.bytes())
    paths.other_key.write_bytes(authority.issue_cert("localhost").private_key_pem.bytes())
    private_key = serialization.load_pem_private_key(issued.private_key_pem.bytes(), None)
    paths.encrypted_key.write_bytes(
        private_key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"sesame"),
        )
    )
    paths.junk.write_text("not a certificate")
    return paths


def context_of(files: Files, **changes: Any) -> ssl.SSLContext:
    arguments: dict[str, Any] = {
        "certfile": files.cert,
        "keyfile": files.key,
        "password": None,
        "version": ssl.PROTOCOL_TLS_SERVER,
        "cert_reqs": ssl.CERT_NONE,
        "ca_certs": None,
        "ciphers": None,
    }
    return make_context(**{**arguments, **changes})


def refusal(files: Files, **changes: Any) -> str:
    with pytest.raises(StartupError) as caught:
        context_of(files, **changes)
    return str(caught.value)


def handshake(server_context: ssl.SSLContext, files: Files, protocols: list[str]) -> ssl.SSLObject:
    """Shake hands in memory, and return the client's side."""
    client_context = ssl.create_default_context(cafile=str(files.ca))
    client_context.set_alpn_protocols(protocols)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(to_client, to_server, server_hostname="localhost")
    server = server_context.wrap_bio(to_server, to_client, server_side=True)
    waiting = [client, server]
    for _ in range(10):
        for side in list(waiting):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            waiting.remove(side)
    assert not waiting
    return client


def test_a_client_shakes_hands_and_agrees_on_http_1_1(files: Files) -> None:
    client = handshake(context_of(files), files, ["h2", "http/1.1"])
    assert client.selected_alpn_protocol() == "http/1.1"


def test_a_client_that_offers_other_protocols_only_is_served_all_the_same(files: Files) -> None:
    assert handshake(context_of(files), files, ["acme"]).selected_alpn_protocol() is None


def test_the_key_may_lie_in_the_file_of_the_certificate(files: Files) -> None:
    handshake(context_of(files, certfile=str(files.both), keyfile=None), files, ["http/1.1"])


def test_an_encrypted_key_is_decrypted_with_the_password(files: Files) -> None:
    handshake(context_of(files, keyfile=files.encrypted_key, password="sesame"), files, ["http/1.1"])


def test_options_for_clients_and_ciphers_reach_the_context(files: Files) -> None:
    context = context_of(files, cert_reqs=2, ca_certs=files.ca, ciphers="ECDHE+AESGCM")
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert len(context.get_ca_certs()) == 1
    tls12 = [cipher["name"] for cipher in context.get_ciphers() if cipher["protocol"] == "TLSv1.2"]
    assert tls12
    assert all("GCM" in name for name in tls12)


@pytest.mark.parametrize(
    ("option", "argument"),
    [("--ssl-certfile", "certfile"), ("--ssl-keyfile", "keyfile"), ("--ssl-ca-certs", "ca_certs")],
)
def test_a_missing_file_is_named_with_its_option(files: Files, option: str, argument: str) -> None:
    assert refusal(files, **{argument: "/nowhere/x.pem"}) == (
        f"{option} /nowhere/x.pem can't be read: No such file or directory."
    )


def test_a_directory_or_an_impossible_path_is_no_file(files: Files, tmp_path: Path) -> None:
    assert "Is a directory" in refusal(files, certfile=tmp_path)
    assert "null byte" in refusal(files, certfile="a\0b")


@pytest.fixture
def locked(tmp_path: Path) -> Path:
    path = tmp_path / "locked.pem"
    path.touch(mode=0)
    return path


def test_a_file_that_may_not_be_read_is_told_so(files: Files, locked: Path, unprivileged: None) -> None:
    assert refusal(files, certfile=locked) == f"--ssl-certfile {locked} can't be read: Permission denied."


def test_a_key_without_a_certificate_is_refused(files: Files) -> None:
    assert "--ssl-keyfile is given without --ssl-certfile" in refusal(files, certfile=None)
    assert "TLS is asked for without --ssl-certfile" in refusal(files, certfile=None, keyfile=None)


def test_a_key_of_another_certificate_is_refused(files: Files) -> None:
    assert refusal(files, keyfile=files.other_key) == (
        f"The private key in --ssl-keyfile {files.other_key} doesn't belong to the certificate "
        f"in --ssl-certfile {files.cert}."
    )


def test_a_missing_password_is_an_error_and_no_question_on_the_terminal(files: Files) -> None:
    message = refusal(files, keyfile=files.encrypted_key)
    assert "is encrypted" in message
    assert "--ssl-keyfile-password" in message


@pytest.mark.parametrize("password", ["wrong", ""])
def test_a_wrong_password_is_told_as_such(files: Files, password: str) -> None:
    assert "--ssl-keyfile-password is wrong" in refusal(files, keyfile=files.encrypted_key, password=password)


def test_a_password_that_openssl_cannot_take_is_refused(files: Files) -> None:
    assert "--ssl-keyfile-password can't be used" in refusal(files, keyfile=files.encrypted_key, password="x" * 5000)


def test_a_password_that_is_no_text_is_not_quoted(files: Files) -> None:
    message = refusal(files, keyfile=files.encrypted_key, password="hunter\udce4")
    assert message == "--ssl-keyfile-password can't be used: it isn't text."


def test_the_file_that_holds_no_pem_is_the_one_that_is_named(files: Files) -> None:
    assert refusal(files, certfile=files.junk) == f"--ssl-certfile {files.junk} holds no usable PEM certificate."
    assert refusal(files, keyfile=files.junk) == f"--ssl-keyfile {files.junk} holds no usable PEM private key."
    assert refusal(files, ca_certs=files.junk) == f"--ssl-ca-certs {files.junk} holds no usable PEM certificate."


def test_a_certificate_without_its_key_asks_for_the_key(files: Files) -> None:
    message = refusal(files, keyfile=None)
    assert f"--ssl-certfile {files.cert} holds no usable PEM private key" in message
    assert "--ssl-keyfile" in message


def test_ciphers_that_select_nothing_are_refused(files: Files) -> None:
    assert "--ssl-ciphers 'NONSENSE'" in refusal(files, ciphers="NONSENSE")


def test_numbers_that_mean_nothing_are_refused(files: Files) -> None:
    assert "--ssl-version 99" in refusal(files, version=99)
    assert "PROTOCOL_TLS_CLIENT" in refusal(files, version=ssl.PROTOCOL_TLS_CLIENT)
    assert "--ssl-cert-reqs is 7" in refusal(files, cert_reqs=7)
