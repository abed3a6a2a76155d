"""A terminal's certificates from admission to revocation, and the host's own.

Who gets in is asked of TLS itself: the host of the bank's folder, a terminal with the
files of its own folder.
"""

from __future__ import annotations

import re
import shlex
import shutil
import ssl
import subprocess
from contextlib import nullcontext, suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from modem.certificates import CertificateTrouble
from modem.errors import CertificateRefusedError
from modem.tls import AdmissionAsked, TLSSession, client_context, server_context
from settlement.admission import Admission
from settlement.store.books import BankStore
from tests.branch import NOW

if TYPE_CHECKING:
    from tests.branch import World

SERVER_NAME = "host.bank.raseed"
COMMANDS = Path(__file__).parents[3] / "docs" / "commands.md"


def call(world: World, folder: Path) -> CertificateTrouble | None:
    """Why the terminal with the files in ``folder`` is refused, as it reads it."""
    bank = world.bank_folder
    with BankStore.open(bank / "bank.sqlite") as store:
        server = TLSSession(
            server_context(
                *(bank / name for name in ("ca-terminals.pem", "host.pem", "host.key")),
                clock=lambda: world.now,
            ),
            server_name=None,
            asks_admission=True,
        )
        files = (folder / name for name in ("ca.pem", "terminal.pem", "terminal.key"))
        client = TLSSession(client_context(*files), server_name=SERVER_NAME)
        client.start()
        try:
            for _ in range(3):
                # The host's own error is another test's; here the terminal's counts.
                with suppress(CertificateRefusedError):
                    server.receive_data(client.data_to_send())
                    if isinstance(event := server.next_event(), AdmissionAsked):
                        server.admit(
                            _judged(Admission(store, lambda: world.now), event)
                        )
                client.receive_data(server.data_to_send())
        except CertificateRefusedError as error:
            return error.trouble
        assert client.ready
        return None


def _judged(admission: Admission, asked: AdmissionAsked) -> CertificateTrouble | None:
    trouble = admission.admit(asked.terminal)
    return trouble or admission.note_use(asked.terminal, nullcontext())


def renew(world: World, output: str, *options: str) -> Any:
    return world.bank(
        *("terminal", "renew", "T0000007"),
        *("--output", str(world.folder / output), *options),
    )


def states(world: World) -> list[str]:
    shown = world.json(world.bank("terminal", "show", "T0000007", "--json"))
    return [one["state"] for one in shown["certificates"]]


def renewed(world: World, folder: str) -> Path:
    """A terminal's folder after the files in ``folder`` were copied over it."""
    path = world.folder / f"{folder}-at-the-counter"
    shutil.copytree(world.folder / "terminal", path)
    shutil.copytree(world.folder / folder, path, dirs_exist_ok=True)
    return path


def test_a_renewed_terminal_is_never_without_a_good_certificate(
    branch: World,
) -> None:
    old = branch.folder / "terminal"
    assert call(branch, old) is None
    result = renew(branch, "next", "--days", "700")
    assert result.exit_code == 0, result.output
    assert states(branch) == ["in use", "not used yet"]
    assert call(branch, old) is None
    new = renewed(branch, "next")
    assert oct((new / "terminal.key").stat().st_mode)[-3:] == "600"
    assert call(branch, new) is None
    assert states(branch) == ["replaced", "in use"]
    assert call(branch, old) is CertificateTrouble.REPLACED
    assert call(branch, new) is None


def test_admitting_again_works_as_renewing(branch: World) -> None:
    old = branch.folder / "terminal"
    added = branch.bank(
        *("terminal", "add", "T0000007", "--office", "SALALAH", "--again"),
        *("--mid", "4355530000000007", "--number", "5551234"),
        *("--output", str(branch.folder / "again")),
    )
    assert added.exit_code == 0, added.output
    assert call(branch, old) is None
    assert call(branch, branch.folder / "again") is None
    assert call(branch, old) is CertificateTrouble.REPLACED


def test_a_revoked_terminal_is_shut_out_at_once_and_can_be_admitted_anew(
    branch: World,
) -> None:
    old = branch.folder / "terminal"
    assert renew(branch, "next").exit_code == 0
    result = branch.bank(
        *("terminal", "revoke", "T0000007", "--reason", "stolen at Sohar")
    )
    assert result.exit_code == 0, result.output
    assert "none moved" in result.output
    assert "raseed-bank terminal add T0000007 --again --office OFFICE" in result.output
    for folder in (old, renewed(branch, "next")):
        assert call(branch, folder) is CertificateTrouble.REVOKED
    assert states(branch) == ["revoked", "revoked"]
    refused = renew(branch, "more")
    assert refused.exit_code == 1
    assert "stolen at Sohar" in refused.output
    assert not (branch.folder / "more").exists()
    added = branch.bank(
        *("terminal", "add", "T0000007", "--office", "SOHAR", "--again"),
        *("--mid", "4355530000000007", "--number", "5551234"),
        *("--output", str(branch.folder / "again")),
    )
    assert added.exit_code == 0, added.output
    assert call(branch, branch.folder / "again") is None
    assert call(branch, old) is CertificateTrouble.REVOKED


def test_a_terminal_that_is_not_there_cannot_be_revoked(branch: World) -> None:
    told = branch.bank("terminal", "revoke", "T0000099", "--reason", "lost")
    assert told.exit_code == 1
    assert "The bank has no terminal T0000099. Nothing was changed" in told.output
    assert "raseed-bank terminal list" in told.output


def test_a_certificate_that_is_not_there_or_is_revoked_already_is_told_apart(
    branch: World,
) -> None:
    revoke = ("terminal", "revoke", "T0000007", "--reason", "lost", "--number")
    told = branch.bank(*revoke, "2")
    assert told.exit_code == 1
    assert "Terminal T0000007 never had a certificate 2. Nothing was" in told.output
    assert branch.bank(*revoke, "1").exit_code == 0
    told = branch.bank(*revoke, "1")
    assert told.exit_code == 1
    assert "has no certificate 1 that is not revoked already. Noth" in told.output
    assert "raseed-bank terminal show T0000007 shows when and why" in told.output


def test_one_certificate_can_be_revoked_and_the_books_say_who_did_it(
    branch: World,
) -> None:
    assert renew(branch, "next").exit_code == 0
    revoke = (
        *("terminal", "revoke", "T0000007"),
        *("--number", "2", "--reason", "lost on its way"),
    )
    done = branch.bank(*revoke)
    assert done.exit_code == 0
    assert "it calls with certificate 1 only" in done.output
    assert "raseed-bank terminal renew T0000007 --output DIR" in done.output
    assert "terminal add" not in done.output
    assert call(branch, branch.folder / "terminal") is None
    assert call(branch, renewed(branch, "next")) is CertificateTrouble.REVOKED
    shown = branch.json(branch.bank("terminal", "show", "T0000007", "--json"))
    last = shown["certificates"][-1]
    assert (last["issued_for"], last["revoked_for"]) == ("renewal", "lost on its way")
    assert last["issued_by"] == last["revoked_by"] != ""
    assert last["revoked_at"] == f"{NOW:%Y-%m-%dT%H:%M:%SZ}"
    again = branch.bank(*revoke)
    assert again.exit_code == 1
    assert "Nothing was changed" in again.output


def test_a_certificate_ends_on_its_day_and_the_list_says_so(branch: World) -> None:
    assert renew(branch, "short", "--days", "10").exit_code == 0
    new = renewed(branch, "short")
    branch.now = NOW + timedelta(days=10)
    assert call(branch, new) is None
    branch.now += timedelta(seconds=1)
    assert call(branch, new) is CertificateTrouble.EXPIRED
    [listed] = branch.json(branch.bank("terminal", "list", "--json"))["terminals"]
    assert listed["certificate"]["state"] == "expired"
    assert "expired, until 2026-03-14" in branch.bank("terminal", "list").output


def test_no_certificate_outlives_its_authority(branch: World) -> None:
    branch.now = NOW + timedelta(days=19 * 365)
    assert renew(branch, "late", "--days", str(5 * 365)).exit_code == 0
    certificate = x509.load_pem_x509_certificate(
        (branch.folder / "late" / "terminal.pem").read_bytes()
    )
    authority = x509.load_pem_x509_certificate(
        (branch.bank_folder / "ca-terminals.pem").read_bytes()
    )
    assert certificate.not_valid_after_utc == authority.not_valid_after_utc


@pytest.mark.parametrize("key", ["ed25519", "ec -pkeyopt ec_paramgen_curve:P-256"])
def test_the_key_of_a_request_never_leaves_the_terminal(
    branch: World, key: str
) -> None:
    new = branch.folder / "counter"
    shutil.copytree(branch.folder / "terminal", new)
    [manual] = re.findall(r"```sh\n(openssl .*?)```", COMMANDS.read_text(), re.DOTALL)
    command = manual.replace("ed25519", key).replace("\\\n", " ")
    subprocess.run(  # noqa: S603 - the words of our own manual
        shlex.split(command), check=True, capture_output=True, cwd=new
    )
    (new / "terminal-next.key").rename(new / "terminal.key")
    result = renew(branch, "next", "--csr", str(new / "T0000007.csr"))
    assert result.exit_code == 0, result.output
    assert [path.name for path in (branch.folder / "next").iterdir()] == [
        "terminal.pem"
    ]
    shutil.copy(branch.folder / "next" / "terminal.pem", new)
    assert call(branch, new) is None
    shown = branch.json(branch.bank("terminal", "show", "T0000007", "--json"))
    assert shown["certificates"][-1]["issued_for"] == "request"


def _rsa_request(name: str) -> bytes:
    key = rsa.generate_private_key(65_537, 2_048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    signed = builder.sign(key, hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM)


@pytest.mark.parametrize(
    ("request_pem", "told"),
    [
        pytest.param(b"hello", "no certificate request", id="no-request"),
        pytest.param(b"", "no certificate request", id="empty"),
        pytest.param(_rsa_request("T0000007"), "Ed25519 nor P-256", id="rsa"),
    ],
)
def test_a_request_that_cannot_be_used_issues_nothing(
    branch: World, tmp_path: Path, request_pem: bytes, told: str
) -> None:
    (tmp_path / "T.csr").write_bytes(request_pem)
    result = renew(branch, "next", "--csr", str(tmp_path / "T.csr"))
    assert result.exit_code == 1
    assert told in result.output
    assert "No certificate was issued" in result.output
    assert not (branch.folder / "next").exists()
    assert states(branch) == ["not used yet"]


@pytest.mark.parametrize("changed", ["name", "signature"])
def test_a_request_for_another_terminal_or_changed_on_its_way_issues_nothing(
    branch: World, tmp_path: Path, changed: str
) -> None:
    name = "T0000008" if changed == "name" else "T0000007"
    path = tmp_path / "T.csr"
    subprocess.run(  # noqa: S603 - our own fixed words
        [
            *("/usr/bin/openssl", "req", "-new", "-newkey", "ed25519", "-nodes"),
            *("-subj", f"/CN={name}", "-keyout", str(tmp_path / "T.key")),
            *("-out", str(path)),
        ],
        check=True,
        capture_output=True,
    )
    if changed == "signature":
        request = x509.load_pem_x509_csr(path.read_bytes())
        der = bytearray(request.public_bytes(serialization.Encoding.DER))
        der[-1] ^= 1
        pem = ssl.DER_cert_to_PEM_cert(bytes(der))
        path.write_text(pem.replace("CERTIFICATE", "CERTIFICATE REQUEST"))
    result = renew(branch, "next", "--csr", str(path))
    assert result.exit_code == 1
    told = "not T0000007" if changed == "name" else "signature is wrong"
    assert told in " ".join(result.output.split())
    assert states(branch) == ["not used yet"]


def test_revoking_the_certificate_in_use_says_that_nothing_is_left(
    branch: World,
) -> None:
    assert renew(branch, "next").exit_code == 0
    assert call(branch, renewed(branch, "next")) is None
    revoked = branch.bank(
        *("terminal", "revoke", "T0000007", "--number", "2"),
        *("--reason", "copied", "--json"),
    )
    told = branch.json(revoked)
    # The first one was replaced when the second was used.
    assert (told["revoked"], told["still_good"], told["shut_out"]) == ([2], [], True)
    assert call(branch, branch.folder / "terminal") is not None


@pytest.mark.parametrize("command", ["renew", "revoke", "show"])
def test_a_terminal_that_the_bank_does_not_have_is_told_as_that(
    branch: World, command: str
) -> None:
    options = {
        "renew": ("--output", str(branch.folder / "next")),
        "revoke": ("--reason", "stolen"),
        "show": (),
    }[command]
    result = branch.bank("terminal", command, "T0000099", *options)
    assert result.exit_code == 1
    assert "T0000099" in result.output
    assert "Nothing was changed" in result.output


def test_a_reason_is_wanted_in_words(branch: World) -> None:
    result = branch.bank("terminal", "revoke", "T0000007", "--reason", "  ")
    assert result.exit_code == 2
    assert states(branch) == ["not used yet"]


def test_a_renewed_key_is_never_put_into_the_banks_own_directory(
    branch: World,
) -> None:
    result = renew(branch, "bank/next")
    assert result.exit_code == 1
    assert "must not stay" in " ".join(result.output.split())


def test_the_hosts_certificate_is_renewed_for_the_same_key_and_name(
    branch: World,
) -> None:
    before = branch.json(branch.bank("host", "show", "--json"))
    key = (branch.bank_folder / "host.key").read_bytes()
    listed = sorted(path.name for path in branch.bank_folder.iterdir())
    branch.now += timedelta(days=1700)
    result = branch.bank("host", "renew", "--json")
    assert result.exit_code == 0, result.output
    after = branch.json(branch.bank("host", "show", "--json"))
    assert after == branch.json(result)
    assert after["name"] == before["name"] == SERVER_NAME
    assert after["not_after"] > before["not_after"]
    assert (branch.bank_folder / "host.key").read_bytes() == key
    assert sorted(path.name for path in branch.bank_folder.iterdir()) == listed
    assert (branch.bank_folder / "host.pem").stat().st_mode & 0o777 == 0o644


def test_terminals_trust_the_renewed_host_without_anything_new(branch: World) -> None:
    assert branch.bank("host", "renew").exit_code == 0
    assert call(branch, branch.folder / "terminal") is None


def test_a_damaged_host_certificate_is_told_and_left_as_it_is(branch: World) -> None:
    path = branch.bank_folder / "host.pem"
    path.write_text("no certificate")
    for command in ("show", "renew"):
        result = branch.bank("host", command)
        assert result.exit_code == 1
        assert "no certificate of this bank's host" in " ".join(result.output.split())
    assert path.read_text() == "no certificate"
