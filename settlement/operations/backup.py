"""Backups: one file that holds what a bank is, and a bank again from it.

The books of a PostgreSQL server are in it as pg_dump writes them, and a bank that is
restored has them in another, empty database.

The file is a tar archive: first ``manifest.json``, then the files that it names, each
with its size and SHA-256 (`Manifest`). It holds the books as they stood at one moment,
the settings, the certificate authority and the masters, both encrypted as they are in
the bank's directory, and which chips became which cards.

It does not hold ``host.key``, the one key that lies there in the clear. A bank that is
restored gets a new host key and certificate from its authority; terminals trust the
authority and need nothing new. So a backup alone opens nothing: whoever restores it
needs the passphrase, and finds out at the drill whether it is still known.
"""

from __future__ import annotations

import hashlib
import os
import re
import tarfile
import tempfile
import tomllib
from importlib import metadata
from io import BytesIO
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from settlement.bank_config import (
    BankDirectory,
    BankSettings,
    create_directory,
    refuse_existing,
    sync_folder,
    write_file,
)
from settlement.check.bank import check_bank
from settlement.errors import BackupError
from settlement.keystore import FileKeyStore
from settlement.pki import Authority
from settlement.store.books import BankStore
from settlement.store.migrations.head import HEAD
from settlement.store.place import load_copy, without_password

if TYPE_CHECKING:
    import datetime as dt

    from settlement.check.bank import CheckReport

__all__ = ["FileFacts", "Manifest", "restore_backup", "write_backup"]

_BOOKS: Final = {"sqlite": "bank.sqlite", "postgresql": "bank.pgdump"}
"""The file with the books, by what they are kept in."""
_MANIFEST: Final = "manifest.json"
_FILES: Final = ("bank.toml", "keys.json", "ca.pem", "ca-terminals.pem", "ca.key")
_PRIVATE: Final = frozenset({*_BOOKS.values(), "keys.json", "ca.key"})
_CARD_FILE: Final = re.compile(r"cards/(pending|issued)/[A-Za-z0-9_-][A-Za-z0-9._-]*")
_MANIFEST_BYTES_MAX: Final = 256 * 1024 * 1024
"""A line for each card that was issued: some 150 MB for a million of them."""
_CHUNK_BYTES: Final = 1024 * 1024


class FileFacts(BaseModel):
    """What a file of a backup must be."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    size: Annotated[int, Field(ge=0)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Manifest(BaseModel):
    """What a backup holds.

    Attributes:
        format: of the backup.
        program: the version that made it.
        schema_version: of the books.
        kind: what the books are kept in.
        made_at: the bank's time, UTC.
        currency: of the bank.
        rows: how many rows each table of the books has.
        files: every file but the manifest, by its name in the bank's directory.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    format: Literal[1] = 1
    program: str
    schema_version: int
    kind: Literal["sqlite", "postgresql"] = "sqlite"
    made_at: str
    currency: str
    rows: dict[str, int]
    files: dict[str, FileFacts]

    @property
    def books(self) -> str:
        """The name of the file with the books."""
        return _BOOKS[self.kind]


def write_backup(
    directory: BankDirectory, store: BankStore, target: Path, *, now: dt.datetime
) -> Manifest:
    """Write ``target`` whole, durably, or not at all; the bank may go on meanwhile.

    Args:
        directory: of the bank.
        store: its books, open.
        target: a file that is not there yet; for a while as much room again is needed
            beside it as the books take.
        now: the bank's time.

    Raises:
        BankDirectoryError: there is such a file already; it was left as it is.
        StoreError: the books cannot be copied.
    """
    refuse_existing(target, what="a backup")
    with tempfile.TemporaryDirectory(
        prefix=f".{target.name}.", dir=target.parent
    ) as name:
        kind: Literal["sqlite", "postgresql"] = (
            "sqlite" if store.kind == "sqlite" else "postgresql"
        )
        books = Path(name) / _BOOKS[kind]
        rows = store.copy_into(books)
        sources = {books.name: books, **_sources(directory.path)}
        manifest = Manifest(
            program=metadata.version("raseed"),
            schema_version=int(HEAD),
            kind=kind,
            made_at=f"{now:%Y-%m-%dT%H:%M:%SZ}",
            currency=directory.settings.currency,
            rows=rows,
            files={one: _facts(path) for one, path in sources.items()},
        )
        whole = Path(name) / "whole.tar"
        _write_archive(whole, manifest, sources)
        # A link never takes another file's place, as a rename would.
        os.link(whole, target)
    sync_folder(target.parent)
    return manifest


def restore_backup(
    archive: Path,
    target: Path,
    *,
    passphrase: bytes,
    now: dt.datetime,
    database: str | None = None,
) -> tuple[Manifest, CheckReport]:
    """Make the bank of a backup again in ``target``, whole or not at all.

    Args:
        archive: the backup.
        target: a folder that is not there yet.
        passphrase: of the keys in it.
        now: the bank's time.
        database: of books that were a server's: the URL of an empty database. Should
            anything fail after they were made there, they stay, and it has to be
            emptied before the next attempt.

    Returns:
        What the backup holds, and what the check of the restored books has found.

    Raises:
        BackupError: the file is no backup, is damaged, or is of another version; or it
            needs a database and none is given, or the other way round.
        StoreError: the books cannot be made in ``database``.
        BankDirectoryError: there is something at ``target``; it was left as it is.
        KeyStoreError: wrong passphrase.
        AuthorityKeyError: the authority's files do not fit together.
    """
    with create_directory(target, what="a restored bank") as folder:
        manifest = _extract(archive, folder)
        _refuse_other_kind(manifest, database)
        keys = FileKeyStore.open(folder / "keys.json", passphrase)
        authority = Authority.load(
            (folder / "ca.pem").read_bytes(),
            (folder / "ca-terminals.pem").read_bytes(),
            (folder / "ca.key").read_bytes(),
            passphrase,
        )
        # The directory is complete only with a host's identity, which needs its name.
        write_file(folder / "host.pem", b"", private=False)
        write_file(folder / "host.key", b"", private=True)
        if database is not None:
            _move_books(folder / manifest.books, database)
        directory = BankDirectory.open(folder)
        host = authority.issue_host(directory.settings.server_name, now)
        for path, pem in (
            (directory.host_certificate, host.certificate_pem),
            (directory.host_key, host.key_pem),
        ):
            path.unlink()
            write_file(path, pem, private=path == directory.host_key)
        with BankStore.open(database or directory.database) as store:
            with store.read() as books:
                rows = books.overview.counts()
            if rows != manifest.rows:
                raise BackupError(
                    "the books in the backup are not those that its manifest tells of"
                )
            report = check_bank(store, keys)
        return manifest, report


def _refuse_other_kind(manifest: Manifest, database: str | None) -> None:
    if manifest.kind == "postgresql" and database is None:
        raise BackupError(
            "the books in this backup are a PostgreSQL server's. Nothing was changed. "
            "Make an empty database and name it: --database "
            "postgresql+psycopg://USER@HOST/NAME"
        )
    if manifest.kind == "sqlite" and database is not None:
        raise BackupError(
            "the books in this backup are a file, and a file is made of them. Nothing "
            "was changed. Leave --database out"
        )


def _move_books(dump: Path, database: str) -> None:
    """Make the books in a server's database, and have the settings name it."""
    load_copy(database, dump)
    dump.unlink()
    settings_file = dump.with_name("bank.toml")
    settings = BankSettings.model_validate(tomllib.loads(settings_file.read_text()))
    bare, _ = without_password(database)
    settings_file.unlink()
    moved = settings.model_copy(update={"database": bare})
    write_file(settings_file, moved.to_toml().encode(), private=False)


def _sources(folder: Path) -> dict[str, Path]:
    found = {name: folder / name for name in _FILES}
    for path in sorted((folder / "cards").rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and _CARD_FILE.fullmatch(name):
            found[name] = path
    return found


def _facts(path: Path) -> FileFacts:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
        return FileFacts(size=file.tell(), sha256=digest.hexdigest())


def _write_archive(whole: Path, manifest: Manifest, sources: dict[str, Path]) -> None:
    descriptor = os.open(whole, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
            text = manifest.model_dump_json(indent=1).encode()
            _add(tar, _MANIFEST, BytesIO(text), len(text))
            for name, path in sources.items():
                with path.open("rb") as source:
                    _add(tar, name, source, manifest.files[name].size)
        file.flush()
        os.fsync(file.fileno())


def _add(tar: tarfile.TarFile, name: str, source: IO[bytes], size: int) -> None:
    member = tarfile.TarInfo(name)
    member.size = size
    member.mode = 0o600 if name in _PRIVATE else 0o644
    tar.addfile(member, source)


def _extract(archive: Path, folder: Path) -> Manifest:
    """Write the files of a backup to ``folder``; each is what the manifest says."""
    try:
        with tarfile.open(archive, mode="r:") as tar:
            manifest = _read_manifest(tar)
            left = dict(manifest.files)
            for member in tar:
                if member.name == _MANIFEST:
                    continue
                facts = left.pop(member.name, None)
                if facts is None or not _is_ours(member):
                    raise BackupError(
                        f"{archive} holds '{member.name}', which no backup does"
                    )
                _write_member(tar, member, folder, facts)
    except (tarfile.TarError, EOFError) as error:
        raise BackupError(f"{archive} is no backup, or is damaged: {error}") from None
    missing = set(left) | (set(_FILES) | {manifest.books}) - set(manifest.files)
    if missing:
        raise BackupError(
            f"{archive} is not whole: {', '.join(sorted(missing))} missing"
        )
    return manifest


def _is_ours(member: tarfile.TarInfo) -> bool:
    known = member.name in {*_FILES, *_BOOKS.values()} or _CARD_FILE.fullmatch(
        member.name
    )
    return member.isreg() and bool(known)


def _read_manifest(tar: tarfile.TarFile) -> Manifest:
    first = tar.next()
    if first is None or first.name != _MANIFEST or first.size > _MANIFEST_BYTES_MAX:
        raise BackupError("it is no backup: it does not begin with a manifest")
    file = tar.extractfile(first)
    if file is None:
        raise BackupError("it is no backup: its manifest is no file")
    try:
        manifest = Manifest.model_validate_json(file.read())
    except ValidationError as error:
        found = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in found["loc"]) or "it"
        raise BackupError(
            f"the backup's manifest cannot be read: {where}: {found['msg']}"
        ) from None
    if manifest.schema_version != int(HEAD):
        raise BackupError(
            f"the backup is of format {manifest.schema_version}, made by version "
            f"{manifest.program}; this program reads {int(HEAD)}. Restore it with "
            "that version"
        )
    return manifest


def _write_member(
    tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path, facts: FileFacts
) -> None:
    """Write one file, and find out on the way whether it is what it should be."""
    source = tar.extractfile(member)
    assert source is not None, "a regular file can be read"
    path = folder / member.name
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    mode = 0o600 if member.name in _PRIVATE else 0o644
    digest = hashlib.sha256()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        while chunk := source.read(_CHUNK_BYTES):
            digest.update(chunk)
            file.write(chunk)
        size = file.tell()
        file.flush()
        os.fsync(file.fileno())
    if size != facts.size or digest.hexdigest() != facts.sha256:
        raise BackupError(f"'{member.name}' in the backup is damaged")
