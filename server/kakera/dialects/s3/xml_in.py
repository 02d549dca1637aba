"""The XML documents S3 clients send, to values. The only place that parses XML; hardened against what a document can
do to a parser.

Rules:
1. At most limits.MAX_XML_BYTES, UTF-8, no DOCTYPE (hence no entities of its own, no external ones), no recovery, no
   network.
2. The schema is closed: an element that is not in it, or twice where once is meant, is MalformedXML. So no document is
   looked at deeper than four levels; libxml2 itself gives up at 256 (huge_tree is off).
3. With the S3 namespace or without; any other namespace is MalformedXML.

Source: Amazon S3 API Reference, request syntax of CompleteMultipartUpload, DeleteObjects, CreateBucket,
PutBucketVersioning, PutObjectTagging.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from lxml import etree

from kakera.base import limits
from kakera.core.values import CompletePart
from kakera.dialects.s3 import checksums
from kakera.dialects.s3.refusals import XmlError
from kakera.dialects.s3.tagging import Tags, check_tags

S3_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_PREFIX = "{" + S3_NAMESPACE + "}"
_CHECKSUM_NAMES = {"Checksum" + name: name for name in checksums.ALGORITHMS}
Leaves = dict[str, str]


def _tags(*names: str) -> Mapping[object, str]:
    """Tag as lxml gives it, with the namespace and without -> name."""
    return {**{name: name for name in names}, **{_PREFIX + name: name for name in names}}


class DeleteItem(NamedTuple):
    """One object of a multi-delete. version_id None: not given. etag, size_bytes, last_modified: conditions, as
    text, if given.
    """

    key: str
    version_id: str | None = None
    etag: str | None = None
    size: str | None = None
    last_modified: str | None = None


class DeleteDocument(NamedTuple):
    items: list[DeleteItem]
    quiet: bool


# --- the documents ----------------------------------------------------------------------------------------------------


def complete_multipart_upload(data: bytes) -> list[CompletePart]:
    """Parts in the order given, 1 to limits.MAX_PART_NUMBER of them; ETags without quotes. Raises XmlError."""
    root = _parse(data, ("CompleteMultipartUpload", "CompleteMultipartUploadRequest"))
    if not 1 <= len(root) <= limits.MAX_PART_NUMBER:
        raise XmlError("MalformedXML")
    parts = []
    for element in root:
        if _name(element) != "Part":
            raise XmlError("MalformedXML")
        leaves = _leaves(element, _PART_LEAVES)
        number = leaves.get("PartNumber", "").strip()
        etag = leaves.get("ETag")
        if etag is None or not (number.isascii() and number.isdigit()) or len(number) > 9:
            raise XmlError("MalformedXML")
        if not 1 <= int(number) <= limits.MAX_PART_NUMBER:
            message = f"Part number must be an integer between 1 and {limits.MAX_PART_NUMBER}, inclusive"
            raise XmlError("InvalidArgument", message, {"ArgumentName": "partNumber", "ArgumentValue": number})
        parts.append(CompletePart(int(number), etag.strip().strip('"'), _part_checksums(leaves)))
    return parts


_PART_LEAVES = _tags("PartNumber", "ETag", *_CHECKSUM_NAMES)


def _part_checksums(leaves: Leaves) -> dict[str, str]:
    if len(leaves) == 2:
        return {}
    return {_CHECKSUM_NAMES[name]: value.strip() for name, value in leaves.items() if name in _CHECKSUM_NAMES}


def delete_objects(data: bytes) -> DeleteDocument:
    """1 to limits.MAX_DELETE_KEYS objects, in order, keys as they stand (never stripped). Raises XmlError."""
    root = _parse(data, ("Delete",))
    items = []
    quiet: str | None = None
    for element in root:
        name = _name(element)
        if name == "Quiet" and quiet is None:
            quiet = _text(element).strip().lower()
            if quiet not in ("true", "false", ""):
                raise XmlError("MalformedXML")
        elif name == "Object":
            items.append(_delete_item(_leaves(element, _DELETE_LEAVES)))
        else:
            raise XmlError("MalformedXML")
    if not 1 <= len(items) <= limits.MAX_DELETE_KEYS:
        raise XmlError("MalformedXML")
    return DeleteDocument(items, quiet == "true")


_DELETE_LEAVES = _tags("Key", "VersionId", "ETag", "LastModifiedTime", "Size")


def _delete_item(leaves: Leaves) -> DeleteItem:
    key = leaves.get("Key")
    if key is None:
        raise XmlError("MalformedXML")
    etag = leaves.get("ETag")
    return DeleteItem(
        key,
        leaves["VersionId"].strip() if "VersionId" in leaves else None,
        etag.strip().strip('"') if etag is not None else None,
        leaves.get("Size"),
        leaves.get("LastModifiedTime"),
    )


def create_bucket_configuration(data: bytes) -> str | None:
    """The LocationConstraint; None for an empty body or when none is named. Raises XmlError."""
    if not data:
        return None
    root = _parse(data, ("CreateBucketConfiguration", "CreateBucketConstraint"))
    found = _once(root)
    if found.keys() & {"Location", "Bucket", "Tags"}:
        raise XmlError("NotImplemented")
    if found.keys() - {"LocationConstraint"}:
        raise XmlError("MalformedXML")
    if "LocationConstraint" not in found:
        return None
    return _text(found["LocationConstraint"]).strip() or None


def versioning_configuration(data: bytes) -> str:
    """The status, "Enabled" or "Suspended". Raises XmlError; NotImplemented for MFA delete."""
    found = _once(_parse(data, ("VersioningConfiguration",)))
    if found.keys() - {"Status", "MfaDelete", "MFADelete"}:
        raise XmlError("MalformedXML")
    for name in ("MfaDelete", "MFADelete"):
        if name in found and _text(found[name]).strip() != "Disabled":
            raise XmlError("NotImplemented")
    if "Status" not in found:
        raise XmlError("IllegalVersioningConfigurationException", "The Versioning element must be specified")
    status = _text(found["Status"]).strip()
    if status not in ("Enabled", "Suspended"):
        raise XmlError("MalformedXML")
    return status


def tagging(data: bytes, *, max_tags: int = limits.MAX_TAGS) -> Tags:
    """Tags in order. Raises XmlError (MalformedXML, InvalidTag)."""
    found = _once(_parse(data, ("Tagging",)))
    if found.keys() != {"TagSet"}:
        raise XmlError("MalformedXML")
    tags = []
    for element in found["TagSet"]:
        if _name(element) != "Tag":
            raise XmlError("MalformedXML")
        leaves = _leaves(element, _TAG_LEAVES)
        if len(leaves) != 2:
            raise XmlError("MalformedXML")
        tags.append((leaves["Key"], leaves["Value"]))
    check_tags(tags, max_tags=max_tags)
    return tags


_TAG_LEAVES = _tags("Key", "Value")


# --- the parser -------------------------------------------------------------------------------------------------------


def _parse(data: bytes, roots: tuple[str, ...]) -> etree._Element:
    """The root element, of one of the names given."""
    if len(data) > limits.MAX_XML_BYTES:
        raise XmlError("MaxMessageLengthExceeded", extra={"MaxMessageLengthBytes": str(limits.MAX_XML_BYTES)})
    # Without a DOCTYPE there are no entities but XML's five; looking for it first means that the parser never sees one
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise XmlError("MalformedXML")
    parser = etree.XMLParser(
        encoding="utf-8",  # whatever the document says: UTF-16 would hide the DOCTYPE from the test above
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        dtd_validation=False,
        attribute_defaults=False,
        huge_tree=False,
        recover=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError):
        raise XmlError("MalformedXML") from None
    if root.getroottree().docinfo.internalDTD is not None or _name(root) not in roots:
        raise XmlError("MalformedXML")
    return root


def _name(element: etree._Element) -> str:
    """The local name in S3's namespace or in none; MalformedXML in any other."""
    tag = element.tag
    if not isinstance(tag, str):
        raise XmlError("MalformedXML")
    if tag.startswith(_PREFIX):
        return tag[len(_PREFIX) :]
    if tag.startswith("{"):
        raise XmlError("MalformedXML")
    return tag


def _text(element: etree._Element) -> str:
    if len(element):
        raise XmlError("MalformedXML")
    return element.text or ""


def _once(root: etree._Element) -> Mapping[str, etree._Element]:
    """Children by name, each at most once."""
    found: dict[str, etree._Element] = {}
    for element in root:
        name = _name(element)
        if name in found:
            raise XmlError("MalformedXML")
        found[name] = element
    return found


def _leaves(parent: etree._Element, allowed: Mapping[object, str]) -> Leaves:
    """Texts of the children, each of an allowed name and at most once. The hot loop of 10,000 parts."""
    found: Leaves = {}
    for element in parent:
        name = allowed.get(element.tag)
        if name is None or name in found or len(element):
            raise XmlError("MalformedXML")
        found[name] = element.text or ""
    return found
