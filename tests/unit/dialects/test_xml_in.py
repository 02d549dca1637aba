"""Documents of clients: the right ones in every spelling, the wrong ones refused, the hostile ones refused quickly."""

from __future__ import annotations

import re
import time

import pytest

from kakera.base import limits
from kakera.core.values import CompletePart
from kakera.dialects.s3 import xml_in
from kakera.dialects.s3.refusals import S3Refusal, XmlError
from kakera.dialects.s3.tagging import check_tags, parse_tagging_header
from kakera.dialects.s3.xml_in import DeleteItem

PARSERS = (
    xml_in.complete_multipart_upload,
    xml_in.delete_objects,
    xml_in.create_bucket_configuration,
    xml_in.versioning_configuration,
    xml_in.tagging,
)
ROOTS = ("CompleteMultipartUpload", "Delete", "CreateBucketConfiguration", "VersioningConfiguration", "Tagging")
NAMESPACE = ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'


def both(text: str) -> list[bytes]:
    """With the namespace, without it, and with a declaration and white space."""
    end = text.index(">")
    spaced = re.sub("><(?!/)", ">\n  <", text)  # between elements, never inside an empty one
    return [
        text.encode(),
        (text[:end] + NAMESPACE + text[end:]).encode(),
        ('<?xml version="1.0" encoding="UTF-8"?>\n<!-- by hand -->' + spaced).encode(),
    ]


def code(parser, data: bytes, **options) -> str:
    with pytest.raises(XmlError) as caught:
        parser(data, **options)
    return caught.value.code


# --- CompleteMultipartUpload ------------------------------------------------------------------------------------------


def part(number: object, etag: str = "&quot;e&quot;", more: str = "") -> str:
    return f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag>{more}</Part>"


def upload(*parts: str) -> str:
    return f"<CompleteMultipartUpload>{''.join(parts)}</CompleteMultipartUpload>"


def test_complete():
    text = upload(part(1), part(2, "f"), part(7, '"g"', "<ChecksumCRC32>AAAAAA==</ChecksumCRC32>"))
    for data in both(text):
        assert xml_in.complete_multipart_upload(data) == [
            CompletePart(1, "e"),
            CompletePart(2, "f"),
            CompletePart(7, "g", {"CRC32": "AAAAAA=="}),
        ]


def test_complete_keeps_the_order_given():
    parts = xml_in.complete_multipart_upload(upload(part(3), part(1)).encode())
    assert [item.part_number for item in parts] == [3, 1]


def test_complete_with_the_most_parts():
    most = upload(*[part(number) for number in range(1, limits.MAX_PART_NUMBER + 1)])
    assert len(xml_in.complete_multipart_upload(most.encode())) == limits.MAX_PART_NUMBER
    more = upload(*[part(1)] * (limits.MAX_PART_NUMBER + 1))
    assert code(xml_in.complete_multipart_upload, more.encode()) == "MalformedXML"


@pytest.mark.parametrize("number", ["", "x", "-1", "1.0", "١", "1 1", "9" * 5000])
def test_part_numbers_that_are_none(number):
    assert code(xml_in.complete_multipart_upload, upload(part(number)).encode()) == "MalformedXML"


@pytest.mark.parametrize("number", [0, 10_001])
def test_part_numbers_out_of_bounds(number):
    assert code(xml_in.complete_multipart_upload, upload(part(number)).encode()) == "InvalidArgument"


@pytest.mark.parametrize(
    "text",
    [
        upload(),
        upload("<Part><PartNumber>1</PartNumber></Part>"),
        upload("<Part><ETag>e</ETag></Part>"),
        upload("<Part><PartNumber>1</PartNumber><PartNumber>2</PartNumber><ETag>e</ETag></Part>"),
        upload(part(1, more="<Other/>")),
        upload("<Party/>"),
        upload(part("<b>1</b>")),
        upload(part(1)).replace("CompleteMultipartUpload", "Complete"),
        upload(part(1))[:-3],
        upload(part(1)) + "<more/>",
        upload(part(1)).replace("<Part>", '<Part xmlns="urn:other">'),
    ],
)
def test_uploads_that_are_none(text):
    assert code(xml_in.complete_multipart_upload, text.encode()) == "MalformedXML"


# --- Delete -----------------------------------------------------------------------------------------------------------


def test_delete():
    text = (
        "<Delete><Quiet>true</Quiet><Object><Key>a/b&amp;c</Key></Object>"
        "<Object><Key>k</Key><VersionId>v</VersionId><ETag>&quot;e&quot;</ETag><Size>1</Size></Object></Delete>"
    )
    for data in both(text):
        document = xml_in.delete_objects(data)
        assert document.quiet
        assert document.items == [DeleteItem("a/b&c"), DeleteItem("k", "v", "e", "1")]


def test_keys_are_never_stripped():
    text = "<Delete><Object><Key> a\n&#13; </Key></Object><Object><Key></Key></Object></Delete>"
    document = xml_in.delete_objects(text.encode())
    assert [item.key for item in document.items] == [" a\n\r ", ""]
    assert not document.quiet


def test_any_key():
    for key in ("カギ", "a]]&gt;b", "<![CDATA[<x>]]>", "&#x1F511;", "../x"):
        assert xml_in.delete_objects(f"<Delete><Object><Key>{key}</Key></Object></Delete>".encode()).items


def test_delete_counts():
    item = "<Object><Key>k</Key></Object>"
    most = f"<Delete>{item * limits.MAX_DELETE_KEYS}</Delete>"
    assert len(xml_in.delete_objects(most.encode()).items) == limits.MAX_DELETE_KEYS
    for text in ("<Delete/>", "<Delete><Quiet>true</Quiet></Delete>", f"<Delete>{item * 1001}</Delete>"):
        assert code(xml_in.delete_objects, text.encode()) == "MalformedXML"


@pytest.mark.parametrize(
    "text",
    [
        "<Delete><Object/></Delete>",
        "<Delete><Quiet>maybe</Quiet><Object><Key>k</Key></Object></Delete>",
        "<Delete><Quiet>true</Quiet><Quiet>true</Quiet><Object><Key>k</Key></Object></Delete>",
        "<Delete><Object><Key>a</Key><Key>b</Key></Object></Delete>",
        "<Delete><Object><Key>a<b/></Key></Object></Delete>",
        "<Delete><Object><Key>&#0;</Key></Object></Delete>",
        "<Delete><Object><Key>&#1;</Key></Object></Delete>",
        "<Delete><Object><Key>&unknown;</Key></Object></Delete>",
    ],
)
def test_deletes_that_are_none(text):
    assert code(xml_in.delete_objects, text.encode()) == "MalformedXML"


# --- bucket documents -------------------------------------------------------------------------------------------------


def test_create_bucket():
    for data in both(
        "<CreateBucketConfiguration><LocationConstraint>eu-1</LocationConstraint></CreateBucketConfiguration>"
    ):
        assert xml_in.create_bucket_configuration(data) == "eu-1"
    for text in (b"", b"<CreateBucketConfiguration/>", b"<CreateBucketConfiguration> </CreateBucketConfiguration>"):
        assert xml_in.create_bucket_configuration(text) is None
    unbuilt = b"<CreateBucketConfiguration><Location><Type>x</Type></Location></CreateBucketConfiguration>"
    assert code(xml_in.create_bucket_configuration, unbuilt) == "NotImplemented"
    unknown = b"<CreateBucketConfiguration><Else/></CreateBucketConfiguration>"
    assert code(xml_in.create_bucket_configuration, unknown) == "MalformedXML"


def test_versioning():
    for status in ("Enabled", "Suspended"):
        for data in both(f"<VersioningConfiguration><Status>{status}</Status></VersioningConfiguration>"):
            assert xml_in.versioning_configuration(data) == status
    frame = "<VersioningConfiguration>{}</VersioningConfiguration>".format
    for inner, expected in (
        ("", "IllegalVersioningConfigurationException"),
        ("<Status>enabled</Status>", "MalformedXML"),
        ("<Status/>", "MalformedXML"),
        ("<Status>Enabled</Status><Status>Enabled</Status>", "MalformedXML"),
        ("<Status>Enabled</Status><Else/>", "MalformedXML"),
        ("<Status>Enabled</Status><MfaDelete>Enabled</MfaDelete>", "NotImplemented"),
    ):
        assert code(xml_in.versioning_configuration, frame(inner).encode()) == expected
    mfa_off = frame("<Status>Enabled</Status><MfaDelete>Disabled</MfaDelete>")
    assert xml_in.versioning_configuration(mfa_off.encode()) == "Enabled"


# --- tags -------------------------------------------------------------------------------------------------------------


def tagging(*tags: tuple[str, str]) -> str:
    inner = "".join(f"<Tag><Key>{key}</Key><Value>{value}</Value></Tag>" for key, value in tags)
    return f"<Tagging><TagSet>{inner}</TagSet></Tagging>"


def test_tags():
    for data in both(tagging(("a", "1"), ("b", ""), ("カギ é", "x+-=._:/@"))):
        assert xml_in.tagging(data) == [("a", "1"), ("b", ""), ("カギ é", "x+-=._:/@")]
    assert xml_in.tagging(b"<Tagging><TagSet/></Tagging>") == []


def test_tags_at_their_limits():
    most = [(f"{number:x}" * 128 if number < 10 else "", "v" * 256) for number in range(10)]
    assert xml_in.tagging(tagging(*most).encode()) == most
    assert len(xml_in.tagging(tagging(*[(f"k{n}", "") for n in range(50)]).encode(), max_tags=50)) == 50


@pytest.mark.parametrize(
    "tags",
    [
        [(f"k{number}", "v") for number in range(11)],
        [("a", "1"), ("a", "2")],
        [("", "v")],
        [("k" * 129, "v")],
        [("k", "v" * 257)],
        [("aws:k", "v")],
        [("k!", "v")],
        [("k", "{v}")],
        [("k", "\u200b")],
    ],
)
def test_tags_that_are_refused(tags):
    assert code(xml_in.tagging, tagging(*tags).encode()) == "InvalidTag"
    with pytest.raises(S3Refusal):
        check_tags(tags)


@pytest.mark.parametrize(
    "text",
    [
        "<Tagging/>",
        "<Tagging><TagSet/><TagSet/></Tagging>",
        "<Tagging><Tags/></Tagging>",
        "<Tagging><TagSet><Tag><Key>a</Key></Tag></TagSet></Tagging>",
        "<Tagging><TagSet><Tag><Value>a</Value></Tag></TagSet></Tagging>",
        "<Tagging><TagSet><Key>a</Key></TagSet></Tagging>",
    ],
)
def test_tag_documents_that_are_none(text):
    assert code(xml_in.tagging, text.encode()) == "MalformedXML"


def test_tags_in_a_header():
    assert parse_tagging_header("a=1&b=%E3%82%AB+x&c") == [("a", "1"), ("b", "カ x"), ("c", "")]
    assert parse_tagging_header("") == []
    for value, expected in (("a=1&a=2", "InvalidArgument"), ("a=%ff", "InvalidArgument"), ("=1", "InvalidTag")):
        with pytest.raises(S3Refusal) as caught:
            parse_tagging_header(value)
        assert caught.value.code == expected
    with pytest.raises(S3Refusal) as caught:
        parse_tagging_header("&".join(f"k{number}=" for number in range(11)))
    assert caught.value.code == "InvalidTag"


# --- hostile documents ------------------------------------------------------------------------------------------------

LAUGHS = (
    b'<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "lol">'
    + b"".join(b'<!ENTITY %c "%s">' % (98 + n, (b"&%c;" % (97 + n)) * 10) for n in range(9))
    + b"]><%s>&j;</%s>"
)
EXTERNAL = b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/hostname">]><%s>&e;</%s>'
PARAMETER = b'<!DOCTYPE x [<!ENTITY %% e SYSTEM "http://127.0.0.1:1/x"> %%e;]><%s/>'


@pytest.mark.parametrize(("parser", "root"), list(zip(PARSERS, ROOTS, strict=True)))
def test_hostile_documents(parser, root):
    name = root.encode()
    deep = b"<a>" * 100_000
    hostile = [
        LAUGHS % (name, name),
        EXTERNAL % (name, name),
        PARAMETER % name,
        b"<!DOCTYPE %s><%s/>" % (name, name),
        b'<!DOCTYPE %s SYSTEM "http://127.0.0.1:1/x.dtd"><%s/>' % (name, name),
        b"<%s>" % name + deep,
        b"<%s>" % name + deep + b"</a>" * 100_000 + b"</%s>" % name,
        b"<%s>\x00</%s>" % (name, name),
        b"\x00",
        b"<%s>\xff\xfe</%s>" % (name, name),
        b"<",
        b"<%s" % name,
        b"<%s " % name + b"a='b' " * 2 + b"/>",
        b'<?xml version="1.0" encoding="utf-16"?>'.decode().encode("utf-16") + f"<{root}/>".encode("utf-16"),
        (LAUGHS % (name, name)).decode().encode("utf-16"),
        (LAUGHS % (name, name)).decode().encode("utf-32"),
        b'<?xml version="1.0" encoding="utf-7"?>+ADwAIQ-DOCTYPE x+AD4-',
        b"<x:%s/>" % name,
        b'<x:%s xmlns:x="urn:y"/>' % name,
        b'<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="file:///etc/hostname" parse="text"/>',
        b"   ",
    ]
    for data in hostile:
        started_s = time.process_time()
        assert code(parser, data) == "MalformedXML", data[:80]
        assert time.process_time() - started_s < 2


@pytest.mark.parametrize("parser", PARSERS)
def test_documents_are_bounded(parser):
    assert code(parser, b"<a>" + b" " * limits.MAX_XML_BYTES + b"</a>") == "MaxMessageLengthExceeded"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "cp037"])
def test_only_utf_8(encoding):
    """In another encoding, "<!DOCTYPE" would not look like itself."""
    text = "<Tagging><TagSet/></Tagging>"
    assert xml_in.tagging(text.encode()) == []
    assert code(xml_in.tagging, text.encode(encoding)) == "MalformedXML"
    assert code(xml_in.tagging, f'<?xml version="1.0" encoding="{encoding}"?>{text}'.encode(encoding)) == "MalformedXML"


def test_comments_and_instructions_are_no_elements():
    data = b"<?pi x?><Tagging><!-- a --><TagSet><?pi y?><!-- <Tag> --></TagSet></Tagging>"
    assert xml_in.tagging(data) == []


def test_an_empty_body_is_no_document_but_for_create_bucket():
    for parser in PARSERS:
        if parser is not xml_in.create_bucket_configuration:
            assert code(parser, b"") == "MalformedXML"
