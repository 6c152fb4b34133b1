"""The TLS side of a server: one SSLContext, made from files.

Knows certificates and OpenSSL's ways of complaining about them; not who serves with the context. The rule it keeps:
OpenSSL never asks the terminal for a password (a server that waits there looks like one that hangs), and each of its
errors ("[SSL] PEM lib") is told as the option that is wrong, the file, and the reason.
"""

import os
import ssl

from monoceros.errors import StartupError

_Path = str | os.PathLike[str]

# What TLS agrees on by ALPN (RFC 7301). A client that offers other protocols only is served HTTP/1.1 all the same.
_PROTOCOLS = ["http/1.1"]


def make_context(
    *,
    certfile: _Path | None,
    keyfile: _Path | None,
    password: str | None,
    version: int,
    cert_reqs: int,
    ca_certs: _Path | None,
    ciphers: str | None,
) -> ssl.SSLContext:
    """Make the context that a server's connections are wrapped with.

    Arguments:
        certfile: PEM file with the certificate, the chain after it, and the private key unless `keyfile` has it.
        keyfile: PEM file with the private key.
        password: decrypts the private key; a key that isn't encrypted ignores it.
        version: one of ssl's PROTOCOL_ constants.
        cert_reqs: whether clients need a certificate, one of ssl's CERT_ constants.
        ca_certs: PEM file with the authorities that clients' certificates are checked against.
        ciphers: OpenSSL's cipher list for TLS 1.2 and older; None or "" keeps OpenSSL's default.

    Raises:
        StartupError: names the option, the file if there is one, and the reason.
    """
    if not certfile:
        given = "--ssl-keyfile is given" if keyfile else "TLS is asked for"
        raise StartupError(f"{given} without --ssl-certfile: name the PEM file of the certificate.")
    for option, path in (("--ssl-certfile", certfile), ("--ssl-keyfile", keyfile), ("--ssl-ca-certs", ca_certs)):
        if path:
            _check_readable(option, path)
    context = _blank_context(version)
    _load_chain(context, certfile, keyfile or None, password)
    try:
        context.verify_mode = ssl.VerifyMode(cert_reqs)
    except ValueError as error:
        raise StartupError(
            f"--ssl-cert-reqs is {cert_reqs}: it must be 0 (none), 1 (optional) or 2 (required)."
        ) from error
    if ca_certs:
        try:
            context.load_verify_locations(ca_certs)
        except ssl.SSLError as error:
            raise StartupError(f"--ssl-ca-certs {os.fspath(ca_certs)} holds no usable PEM certificate.") from error
    if ciphers:
        try:
            context.set_ciphers(ciphers)
        except ssl.SSLError as error:
            raise StartupError(
                f"--ssl-ciphers {ciphers!r} selects no cipher: see `openssl ciphers -v` for the names."
            ) from error
    context.set_alpn_protocols(_PROTOCOLS)
    return context


def _check_readable(option: str, path: _Path) -> None:
    try:
        with open(path, "rb"):
            pass
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise StartupError(f"{option} {os.fspath(path)} can't be read: {reason}.") from error


def _blank_context(version: int) -> ssl.SSLContext:
    if version == ssl.PROTOCOL_TLS_CLIENT:
        raise StartupError("--ssl-version is PROTOCOL_TLS_CLIENT, which can't serve: use PROTOCOL_TLS_SERVER.")
    try:
        return ssl.SSLContext(version)
    except ValueError as error:
        raise StartupError(f"--ssl-version {version} isn't supported here: use PROTOCOL_TLS_SERVER.") from error


def _load_chain(context: ssl.SSLContext, certfile: _Path, keyfile: _Path | None, password: str | None) -> None:
    key = f"--ssl-keyfile {os.fspath(keyfile)}" if keyfile else f"--ssl-certfile {os.fspath(certfile)}"
    asked = False

    def give_password() -> str:
        nonlocal asked
        asked = True
        if password is None:
            raise StartupError(f"The private key in {key} is encrypted: give its password with --ssl-keyfile-password.")
        return password

    try:
        # Without a callback OpenSSL would ask on the terminal.
        context.load_cert_chain(certfile, keyfile, give_password)
    except ssl.SSLError as error:
        raise StartupError(_diagnosis(error, certfile, keyfile, key, asked=asked)) from error
    except ValueError as error:
        # What can't be encoded would be quoted.
        reason = "it isn't text" if isinstance(error, UnicodeError) else error
        raise StartupError(f"--ssl-keyfile-password can't be used: {reason}.") from None


def _diagnosis(error: ssl.SSLError, certfile: _Path, keyfile: _Path | None, key: str, *, asked: bool) -> str:
    """Say which of the two files a failed load is about; OpenSSL's message often doesn't."""
    certificate = f"--ssl-certfile {os.fspath(certfile)}"
    if error.reason == "KEY_VALUES_MISMATCH":
        return f"The private key in {key} doesn't belong to the certificate in {certificate}."
    if asked:
        return f"The private key in {key} can't be decrypted: --ssl-keyfile-password is wrong."
    if error.reason is not None:
        return f"{certificate} can't be used: {error.reason.lower().replace('_', ' ')}."
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(certfile)
    except ssl.SSLError:
        return f"{certificate} holds no usable PEM certificate."
    hint = "" if keyfile else ": name its file with --ssl-keyfile"
    return f"{key} holds no usable PEM private key{hint}."
