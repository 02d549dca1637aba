"""Every bound of the server, in one place, each with its reason (R11). Sizes in bytes, times in seconds unless the name says otherwise."""

from __future__ import annotations

KIB = 1 << 10
MIB = 1 << 20
GIB = 1 << 30

# --- settings ------------------------------------------------------------------------------------------------------------
MAX_CONFIG_BYTES = 1 * MIB  # a server.toml is a few KiB; a wrong path must not fill the memory

# --- names and metadata -------------------------------------------------------------------------------------------------
MAX_KEY_BYTES = 1024  # the vendors' own limit; keeps an index row within one page
MAX_BUCKET_NAME = 63  # DNS label
MIN_BUCKET_NAME = 3  # the vendors' rule
MAX_USER_METADATA_BYTES = 2 * KIB  # S3's limit for the sum of names and values
MAX_TAGS = 10  # S3's limit per object
MAX_BUCKETS_PER_ACCOUNT = 1000  # a listing of buckets is one answer

# --- bodies -------------------------------------------------------------------------------------------------------------
MAX_PUT_BYTES = 5 * GIB  # S3's limit of one PUT; bounds an OBJECT record at 1,280 chunk references
MAX_PART_NUMBER = 10_000  # S3's limit; bounds what Complete has to compare
MIN_PART_BYTES = 5 * MIB  # S3's limit for every part but the last
MAX_OBJECT_BYTES = 50 * 1024 * GIB  # 10,000 parts of 5 GiB
REPLICATED_BODY_BYTES = 1 * KIB  # smaller than a fragment's overhead: copied whole into each strand
INLINE_BODY_BYTES = 128 * KIB  # coded inside the journal record; larger bodies would delay small acks (R12)
CHUNK_BYTES = 4 * MIB  # unit of coding; a reader's and an uploader's memory is a few of these

# --- records and segments -----------------------------------------------------------------------------------------------
CRC_BLOCK_BYTES = 64 * KIB  # a range read verifies no more than one block too much at each end
MAX_META_BYTES = 256 * KIB  # 1,280 chunk references and 2 KiB of user metadata fit ten times over
MAX_RECORD_BYTES = 8 * MIB  # header + meta + one fragment of the largest profile; bounds a scan's buffer
MIN_K = 2  # below two data fragments coding is only copying
MAX_K = 12  # profiles 2+1 to 12+4
MIN_M = 1  # without parity a lost drive is lost data
MAX_M = 4  # same

# --- journal ------------------------------------------------------------------------------------------------------------
MAX_COMMAND_BYTES = 4 * MIB  # 128 KiB body as 12+4 fragments plus meta, with room
MAX_BATCH_COMMANDS = 512  # bounds the time one index transaction may hold
MAX_BATCH_BYTES = 8 * MIB  # bounds one write per drive, so the sync stays within the laggard limit
RESEND_LIMIT_S = 30.0  # a worker gives up (503, unknown) after this; ids are kept longer (R16)
APPLIED_IDS_LOADED = 1_000_000  # ids read back at start: more than RESEND_LIMIT_S at twice the best rate measured
MAX_PENDING_COMMANDS = 4096  # per worker; above it the worker answers Busy
REPLAY_BATCH_RECORDS = 2048  # one index transaction while replaying
INDEX_RETRY_LIMIT = 5  # a failing index transaction is tried so often, then the committer exits (R4)

# --- listing ------------------------------------------------------------------------------------------------------------
MAX_LIST_KEYS = 1000  # one page, the vendors' limit
MAX_SCAN_ROWS = 20_000  # rows one page may touch before it returns truncated with a marker
