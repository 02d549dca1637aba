"""Pages of listings as XML, joined from strings: keys of a page are escaped in one pass, the rest is safe by
construction (etags are hex, ids hex or configured text). Element order and names: Amazon S3 API Reference,
ListObjects, ListObjectsV2, ListObjectVersions, ListMultipartUploads, ListParts, ListBuckets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from kakera.core.values import BucketInfo, Listed, ListPage, ObjectInfo, PartInfo, PartPage, UploadPage
from kakera.dialects.s3.xml_out import document, escape, iso, text, texts

Names = Mapping[str, str]


class Asked(NamedTuple):
    """What a listing was asked for, echoed in its answer. url: encoding-type=url."""

    bucket: str
    prefix: bytes
    delimiter: bytes
    limit: int
    url: bool


class V2(NamedTuple):
    """What only ListObjectsV2 echoes."""

    token: str | None
    start_after: bytes | None
    next_token: str | None
    owners: bool


def owner(account_id: str, names: Names, element: str = "Owner") -> str:
    """The account as S3 shows it."""
    name = escape(names.get(account_id, account_id))
    return f"<{element}><ID>{escape(account_id)}</ID><DisplayName>{name}</DisplayName></{element}>"


def _owners(entries: Sequence[Listed], names: Names) -> dict[str, str]:
    return {account: owner(account, names) for account in {entry.owner for entry in entries}}


def _frame(asked: Asked, *, truncated: bool, limit_name: str = "MaxKeys", plain_prefix: bool = False) -> str:
    delimiter = f"<Delimiter>{text(asked.delimiter, url=asked.url)}</Delimiter>" if asked.delimiter else ""
    encoding = "<EncodingType>url</EncodingType>" if asked.url else ""
    flag = "true" if truncated else "false"
    prefix = text(asked.prefix, url=asked.url and not plain_prefix)
    return (
        f"<Prefix>{prefix}</Prefix>{delimiter}<{limit_name}>{asked.limit}</{limit_name}>"
        f"{encoding}<IsTruncated>{flag}</IsTruncated>"
    )


def _common_prefixes(prefixes: Sequence[bytes], *, url: bool) -> str:
    if not prefixes:
        return ""
    return "".join(
        [f"<CommonPrefixes><Prefix>{prefix}</Prefix></CommonPrefixes>" for prefix in texts(prefixes, url=url)]
    )


def contents(entries: Sequence[Listed], owners: Mapping[str, str], *, url: bool) -> str:
    """The <Contents> of a page; owners: account id -> its element, empty for none."""
    if not entries:
        return ""
    keys = texts([entry.key for entry in entries], url=url)
    pieces: list[str] = []
    add = pieces.append
    show_owner = bool(owners)
    for key, entry in zip(keys, entries, strict=True):
        checksum = f"<ChecksumAlgorithm>{entry.checksum}</ChecksumAlgorithm>" if entry.checksum else ""
        add(
            f"<Contents><Key>{key}</Key><LastModified>{iso(entry.mtime_ms)}</LastModified><ETag>&quot;{entry.etag}&quot;</ETag>"
            f"{checksum}<Size>{entry.size}</Size>{owners[entry.owner] if show_owner else ''}"
            "<StorageClass>STANDARD</StorageClass></Contents>"
        )
    return "".join(pieces)


def objects_v1(page: ListPage, asked: Asked, marker: bytes, names: Names) -> bytes:
    """ListBucketResult of ListObjects. NextMarker stands only where S3 has it: with a delimiter. The echoed prefix is
    not url-encoded: SDKs do not decode it in this one document."""
    url = asked.url
    next_marker = ""
    if page.truncated and asked.delimiter and page.next_key is not None:
        next_marker = f"<NextMarker>{text(page.next_key, url=url)}</NextMarker>"
    inner = (
        f"<Name>{escape(asked.bucket)}</Name>{_frame(asked, truncated=page.truncated, plain_prefix=True)}"
        f"<Marker>{text(marker, url=url)}</Marker>{next_marker}"
        f"{contents(page.entries, _owners(page.entries, names), url=url)}{_common_prefixes(page.prefixes, url=url)}"
    )
    return document("ListBucketResult", inner)


def objects_v2(page: ListPage, asked: Asked, asked_v2: V2, names: Names) -> bytes:
    """ListBucketResult of ListObjectsV2."""
    url = asked.url
    inner = f"<Name>{escape(asked.bucket)}</Name>{_frame(asked, truncated=page.truncated)}"
    inner += f"<KeyCount>{len(page.entries) + len(page.prefixes)}</KeyCount>"
    if asked_v2.token is not None:
        inner += f"<ContinuationToken>{escape(asked_v2.token)}</ContinuationToken>"
    if asked_v2.next_token is not None:
        inner += f"<NextContinuationToken>{asked_v2.next_token}</NextContinuationToken>"
    if asked_v2.start_after is not None:
        inner += f"<StartAfter>{text(asked_v2.start_after, url=url)}</StartAfter>"
    owners = _owners(page.entries, names) if asked_v2.owners else {}
    inner += contents(page.entries, owners, url=url) + _common_prefixes(page.prefixes, url=url)
    return document("ListBucketResult", inner)


def versions(page: ListPage, asked: Asked, key_marker: bytes, version_marker: str, names: Names) -> bytes:
    """ListVersionsResult: versions and delete markers in their order."""
    url = asked.url
    inner = (
        f"<Name>{escape(asked.bucket)}</Name>{_frame(asked, truncated=page.truncated)}"
        f"<KeyMarker>{text(key_marker, url=url)}</KeyMarker><VersionIdMarker>{escape(version_marker)}</VersionIdMarker>"
    )
    if page.truncated and page.next_key is not None:
        inner += f"<NextKeyMarker>{text(page.next_key, url=url)}</NextKeyMarker>"
        if page.next_version is not None:
            inner += f"<NextVersionIdMarker>{page.next_version.hex() or 'null'}</NextVersionIdMarker>"
    owners = _owners(page.entries, names)
    keys = texts([entry.key for entry in page.entries], url=url)
    pieces = [
        _version(key, entry, owners[entry.owner]) for key, entry in zip(keys, page.entries, strict=bool(page.entries))
    ]
    return document("ListVersionsResult", inner + "".join(pieces) + _common_prefixes(page.prefixes, url=url))


def _version(key: str, entry: Listed, owner_element: str) -> str:
    latest = "true" if entry.latest else "false"
    head = (
        f"<Key>{key}</Key><VersionId>{entry.version.hex() or 'null'}</VersionId><IsLatest>{latest}</IsLatest>"
        f"<LastModified>{iso(entry.mtime_ms)}</LastModified>"
    )
    if entry.marker:
        return f"<DeleteMarker>{head}{owner_element}</DeleteMarker>"
    checksum = f"<ChecksumAlgorithm>{entry.checksum}</ChecksumAlgorithm>" if entry.checksum else ""
    return (
        f"<Version>{head}<ETag>&quot;{entry.etag}&quot;</ETag>{checksum}<Size>{entry.size}</Size>{owner_element}"
        "<StorageClass>STANDARD</StorageClass></Version>"
    )


def uploads(page: UploadPage, asked: Asked, key_marker: bytes, upload_marker: str, names: Names) -> bytes:
    """ListMultipartUploadsResult."""
    url = asked.url
    inner = (
        f"<Bucket>{escape(asked.bucket)}</Bucket><KeyMarker>{text(key_marker, url=url)}</KeyMarker>"
        f"<UploadIdMarker>{escape(upload_marker)}</UploadIdMarker>"
    )
    if page.truncated and page.next_key is not None:
        inner += f"<NextKeyMarker>{text(page.next_key, url=url)}</NextKeyMarker>"
        if page.next_upload is not None:
            inner += f"<NextUploadIdMarker>{page.next_upload.hex()}</NextUploadIdMarker>"
    inner += _frame(asked, truncated=page.truncated, limit_name="MaxUploads")
    for upload in page.uploads:
        algorithm = (
            f"<ChecksumAlgorithm>{upload.checksum_algorithm}</ChecksumAlgorithm>" if upload.checksum_algorithm else ""
        )
        kind = f"<ChecksumType>{upload.checksum_kind}</ChecksumType>" if upload.checksum_kind else ""
        inner += (
            f"<Upload><Key>{text(upload.key, url=url)}</Key><UploadId>{upload.upload_id.hex()}</UploadId>"
            f"{owner(upload.owner, names, 'Initiator')}{owner(upload.owner, names)}"
            f"<StorageClass>STANDARD</StorageClass><Initiated>{iso(upload.initiated_ms)}</Initiated>{algorithm}{kind}</Upload>"
        )
    return document("ListMultipartUploadsResult", inner + _common_prefixes(page.prefixes, url=url))


def _part(part: PartInfo, *, sized: bool = False) -> str:
    found = f"<PartNumber>{part.part_number}</PartNumber>"
    if not sized:
        found += f"<LastModified>{iso(part.mtime_ms)}</LastModified><ETag>&quot;{part.etag}&quot;</ETag>"
    found += f"<Size>{part.size}</Size>"
    if part.checksum is not None:
        found += f"<Checksum{part.checksum.algorithm}>{escape(part.checksum.value)}</Checksum{part.checksum.algorithm}>"
    return f"<Part>{found}</Part>"


def parts(page: PartPage, bucket: str, *, after: int, limit: int, names: Names) -> bytes:
    """ListPartsResult."""
    upload = page.upload
    inner = (
        f"<Bucket>{escape(bucket)}</Bucket><Key>{text(upload.key, url=False)}</Key>"
        f"<UploadId>{upload.upload_id.hex()}</UploadId>"
        f"{owner(upload.owner, names, 'Initiator')}{owner(upload.owner, names)}<StorageClass>STANDARD</StorageClass>"
        f"<PartNumberMarker>{after}</PartNumberMarker>"
    )
    if page.truncated and page.next_part is not None:
        inner += f"<NextPartNumberMarker>{page.next_part}</NextPartNumberMarker>"
    inner += f"<MaxParts>{limit}</MaxParts><IsTruncated>{'true' if page.truncated else 'false'}</IsTruncated>"
    if upload.checksum_algorithm:
        inner += f"<ChecksumAlgorithm>{upload.checksum_algorithm}</ChecksumAlgorithm>"
        inner += f"<ChecksumType>{upload.checksum_kind}</ChecksumType>"
    return document("ListPartsResult", inner + "".join([_part(part) for part in page.parts]))


class PartsAsked(NamedTuple):
    """The page of a completed object's parts. found: those on it; truncated: more follow."""

    after: int
    limit: int
    found: Sequence[PartInfo]
    truncated: bool


def object_parts(info: ObjectInfo, page: PartsAsked) -> str:
    """ObjectParts of GetObjectAttributes; "" when the object is no multipart."""
    if not info.parts_count:
        return ""
    last = page.found[-1].part_number if page.found else 0
    return (
        f"<ObjectParts><PartsCount>{info.parts_count}</PartsCount><PartNumberMarker>{page.after}</PartNumberMarker>"
        f"<NextPartNumberMarker>{last}</NextPartNumberMarker><MaxParts>{page.limit}</MaxParts>"
        f"<IsTruncated>{'true' if page.truncated else 'false'}</IsTruncated>"
        f"{''.join([_part(part, sized=True) for part in page.found])}</ObjectParts>"
    )


def buckets(
    found: Sequence[BucketInfo], owner_element: str, *, region: str, prefix: str | None, token: str | None
) -> bytes:
    """ListAllMyBucketsResult. token: where the next page starts."""
    lines = [
        f"<Bucket><Name>{escape(bucket.name)}</Name><CreationDate>{iso(bucket.created_ms)}</CreationDate>"
        f"<BucketRegion>{escape(bucket.region or region)}</BucketRegion></Bucket>"
        for bucket in found
    ]
    inner = f"{owner_element}<Buckets>{''.join(lines)}</Buckets>"
    if token is not None:
        inner += f"<ContinuationToken>{token}</ContinuationToken>"
    if prefix is not None:
        inner += f"<Prefix>{escape(prefix)}</Prefix>"
    return document("ListAllMyBucketsResult", inner)
