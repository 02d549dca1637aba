"""Every bound of the server, in one place, each with its reason (R11).

Sizes in bytes, times in seconds unless the name says otherwise.
"""

from __future__ import annotations

KIB = 1 << 10
MIB = 1 << 20
GIB = 1 << 30

# --- settings ---------------------------------------------------------------------------------------------------------
MAX_CONFIG_BYTES = 1 * MIB  # a server.toml is a few KiB; a wrong path must not fill the memory

# --- names and metadata -----------------------------------------------------------------------------------------------
MAX_KEY_BYTES = 1024  # the vendors' own limit; keeps an index row within one page
MAX_BUCKET_NAME = 63  # DNS label
MIN_BUCKET_NAME = 3  # the vendors' rule
MAX_USER_METADATA_BYTES = 2 * KIB  # S3's limit for the sum of names and values
MAX_TAGS = 10  # S3's limit per object
MAX_BUCKETS_PER_ACCOUNT = 1000  # a listing of buckets is one answer

# --- bodies -----------------------------------------------------------------------------------------------------------
MAX_PUT_BYTES = 5 * GIB  # S3's limit of one PUT; 1,280 chunks of the usual size
MAX_PART_NUMBER = 10_000  # S3's limit; bounds what Complete has to compare
MIN_PART_BYTES = 5 * MIB  # S3's limit for every part but the last
MAX_OBJECT_BYTES = MAX_PART_NUMBER * MAX_PUT_BYTES  # what the two limits above make possible
REPLICATED_BODY_BYTES = 1 * KIB  # smaller than a fragment's overhead: copied whole into each strand
INLINE_BODY_BYTES = 128 * KIB  # coded inside the journal record; larger bodies would delay small acks (R12)
STREAM_PIECE_BYTES = 1 * MIB  # of one stream on its way out, and two more read ahead: chunks of 64 would be 768 MiB
CHUNK_BYTES = 4 * MIB  # unit of coding; a reader's and an uploader's memory is a few of these

# --- records and segments ---------------------------------------------------------------------------------------------
CRC_BLOCK_BYTES = 64 * KIB  # a range read verifies no more than one block too much at each end
MAX_META_BYTES = 256 * KIB  # a record's; MAX_CHUNKS references, key, headers, tags and room to grow when it is moved
MAX_CHUNKS = 5120  # of one PUT or part: a reference is up to 34 bytes; 5 GiB in chunks of 1 MiB
MAX_RECORD_BYTES = 8 * MIB  # header + meta + one fragment of the largest profile; bounds a scan's buffer
MIN_K = 2  # below two data fragments coding is only copying
MAX_K = 12  # profiles 2+1 to 12+4
MIN_M = 1  # without parity a lost drive is lost data
MAX_M = 4  # same

# --- drives and strands -----------------------------------------------------------------------------------------------
MAX_IDENTITY_BYTES = 64 * KIB  # identity and marker are one line; a wrong file must not fill the memory
PAGE_BYTES = 4 * KIB  # holes are punched in whole pages
MAX_WRITE_BUFFERS = 512  # under IOV_MAX (1,024): more are joined first
OPEN_STRANDS_PER_DRIVE = 128  # file descriptors: 6 drives take 768 of the usual 1,024 of a process at most
OPEN_STRAND_CHECK_S = 5.0  # how long a dropped strand may keep its space in a process that had it open
STRAND_MAP_SHORT_S = 5.0  # the same for a layout that lacks a strand: a drive that returns is soon used
STRAND_MAP_S = 60.0  # how long a learned layout is believed without a look at the drives
MAX_LAYOUTS = 4096  # layouts kept in memory: a few hundred bytes each; the oldest are learned again
META_READ_BYTES = 16 * KIB  # one read holds the header and meta of nearly every record; others take the waiting way
READ_THREADS = 4  # per drive and process: reads that wait for the device; a slow drive takes its own threads only
CODE_THREADS = 2  # decoding and verifying of chunks: pyeclib holds the interpreter lock, more would not help
DECODE_HEADERS = 512  # sizes whose fragment headers are kept: k+m times 80 bytes each
HEDGE_S = 0.25  # a read that waits longer is tried on other strands as well (R12)
READ_LIMIT_S = 15.0  # a read that has not enough fragments by then is answered 503; a client gives up soon after
SLOW_DRIVE_S = 10.0  # a drive that was late is asked last for so long
MAX_REASON_CHARS = 500  # why a strand is suspect, for people
MAX_DAMAGE_REPORTS = 1000  # remembered so that each strand is reported once a while; a census finds what is forgotten
BULK_IN_FLIGHT_BYTES = 96 * MIB  # per worker: chunks and fragments not yet written; the RSS budget is 400 MB
BULK_BODY_CHUNKS = 2  # of one body in flight: one is written while the next is filled
SEGMENT_OPEN_ATTEMPTS = 3  # a new bulk segment is tried on so many sets of drives before appends are refused
BULK_THREADS = 2  # per drive and worker: a sync must not hold up the next chunk's write
BULK_STALL_S = 20.0  # when not even k+1 drives answer a bulk write: then it is the machine, and the client is told
EARLY_WRITE_BYTES = 256 * KIB  # a write so large is sent to the device at once; small ones are merged by waiting
RESERVE_PIECE_BYTES = 4 * MIB  # given back at once where nothing can be taken ahead: what a foreign writer may catch
SPACE_CHECK_S = 1.0  # how old the free space of a drive may be when an append is accepted
SCAN_WINDOW_BYTES = 1 * MIB  # one read of a scan over a strand: 16 strands of 12+4 take 16 MiB
MAX_SCAN_SKIP_BYTES = 64 * MIB  # how far a scan looks for the next record behind a damaged header

# --- journal ----------------------------------------------------------------------------------------------------------
MAX_BATCH_COMMANDS = 512  # bounds the time one index transaction may hold
MAX_BATCH_BYTES = 8 * MIB  # bounds one write per drive, so the sync stays within the laggard limit
RESEND_LIMIT_S = 30.0  # a worker gives up (503, unknown) after this; ids are kept longer (R16)
APPLIED_IDS_LOADED = 400_000  # ids read back at start, 240 bytes each: twice RESEND_LIMIT_S at 6,600 commands a second
MAX_PENDING_COMMANDS = 4096  # per worker; above it the worker answers Busy
MAX_PENDING_BYTES = 64 * MIB  # bodies that wait at the committer, or in one worker for it: 340 of the largest inline
MAX_FRAME_BYTES = 64 * MIB  # a sender ends a frame at MAX_BATCH_BYTES: it fits many times; a corrupt length does not
MAX_FRAME_COMMANDS = 256  # small ones: what is not whole yet waits
MAX_STATE_DIR_BYTES = 90  # the kernel takes 107 of a socket's path, and ours ends in /run/journal.sock
MAX_WORKERS = 128  # one or two a core; each is a connection that may wait at the committer to be accepted
JOURNAL_SOCKET_BYTES = 1 * MIB  # one read of everything a worker sent while a batch was synced
COMMITTER_IDLE_S = 0.2  # how long the committer sleeps with nothing to do: housekeeping looks at drives that often
RECONNECT_S = 0.05  # a committer that died is back in under a second; its workers notice within this
STATUS_S = 0.5  # how old a worker's picture of the committer may be
MAX_UNDECIDED_KEYS = 100_000  # read-only service holds them in memory in every worker; above it everything answers 503
DRIVE_REJOIN_S = 5.0  # an excluded drive is tried again after this, doubling to the next
DRIVE_REJOIN_MAX_S = 300.0  # so that a dying drive costs one roll in five minutes at most
APPLIED_GENERATIONS = 6  # ids are forgotten in so many steps: a sixth more are held than need be
LANE_STALL_S = 20.0  # when not even k+1 drives answer, the machine is slow, not a drive; still less than RESEND_LIMIT_S
START_RETRY_MAX_S = 30.0  # a failed recovery is tried again at most this late; a drive that returns starts it at once
DRIVE_PROBE_S = 1.0  # how often drives and free space are looked at
CLEAN_STEP_RECORDS = 256  # live records moved in one step of cleaning: a few ms between two batches (R12)
CLEAN_STEP_BYTES = 4 * MIB  # likewise in bytes
MAX_CREATE_ATTEMPTS = 4  # a new segment is tried on so many sets of drives before the journal is read-only
REPLAY_BATCH_RECORDS = 2048  # one index transaction while replaying
INDEX_RETRY_LIMIT = 5  # a failing index transaction is tried so often, then the committer exits (R4)

# --- index ------------------------------------------------------------------------------------------------------------
INDEX_PAGE_BYTES = 2 * KIB  # random keys dirty a page each: 4.4 KiB of WAL a PUT, 7.0 with 4 KiB pages
INDEX_CACHE_BYTES = 16 * MIB  # per connection; a batch's dirty pages and the inner pages of 10 million keys
INDEX_MMAP_BYTES = 16 * MIB  # reads of the first pages without a copy; more showed no speed, and counts in every RSS
INDEX_WAL_BYTES = 64 * MIB  # above it a checkpoint is due: page look-ups in the WAL slow down as it grows
INDEX_BUSY_S = 5.0  # how long a writer waits for a lock; only a checkpoint's end ever holds one
INDEX_CHECKPOINT_WAIT_S = 0.2  # how long the end of a checkpoint may wait for the batch under way and for readers
BUCKETS_REMEMBERED = 1024  # rows of buckets a worker keeps: some hundred bytes each
INDEX_PENDING_ROWS = 4096  # read or changed in the open transaction and kept: a full batch's; 2 MiB at most
INDEX_STATEMENTS = 256  # prepared and kept: 11 tables with about 10 shapes each

# --- listing ----------------------------------------------------------------------------------------------------------
MAX_LIST_KEYS = 1000  # one page, the vendors' limit
LIST_FIRST_BATCH = 256  # rows of a grouped listing's first scan: 0.2 ms if all but one are skipped
MAX_SCAN_ROWS = 20_000  # rows one page may touch before it returns truncated with a marker

# --- the wire of a request (dialects) ---------------------------------------------------------------------------------
MAX_QUERY_PARAMETERS = 256  # the richest documented request has under 40; bounds sorting while a signature is checked
CACHED_PARAMETER_BYTES = 192  # a credential parameter fits; longer ones are keys, which do not repeat
PARAMETERS_CACHED = 4096  # decoded and canonical forms of whole parameters: 2 x 4096 x 0.5 KiB at most
MAX_SIGNED_HEADERS = 128  # more than fit into the edge's header bound with useful values
MAX_CREDENTIAL_CHARS = 512  # Authorization up to its signature; longer ones are not worth a cache entry
MAX_ECHOED_CHARS = 4096  # of what the client sent, in an error document: enough to compare, not a mirror for floods
MAX_CLOCK_SKEW_S = 900  # S3's rule: 15 minutes either way
MAX_PRESIGN_EXPIRES_S = 604_800  # S3's rule: one week
SIGNING_KEYS_CACHED = 1024  # one per access key, day and region; four HMACs saved a request
PARSED_CREDENTIALS_CACHED = 4096  # Authorization prefixes and X-Amz-Credential values; one per client and header set
PARSED_TIMESTAMPS_CACHED = 2048  # the seconds of a 15 minute window both ways
HASH_INLINE_BYTES = 128 * KIB  # hashed on the event loop: 0.3 ms; more goes to a thread, which costs 0.1 ms to reach
HASH_BATCH_BYTES = 1 * MIB  # least a hashing thread is woken for: 2 ms of MD5; smaller means more hand-overs of the GIL
MIN_AWS_CHUNK_BYTES = 8 * KIB  # S3's rule for every aws-chunk but the last; bounds Python work per byte
MAX_AWS_CHUNK_LINE_BYTES = 256  # 16 hex digits, ";chunk-signature=", 64 hex digits, with room
MAX_TRAILER_BYTES = 4 * KIB  # a checksum and a signature are 150 bytes
MAX_TRAILERS = 8  # one is in use
XML_INLINE_BYTES = 128 * KIB  # parsed in the event loop, 5 ms; what is longer in a thread: 10,000 parts take 60 ms
MAX_XML_BYTES = 2 * MIB  # 10,000 parts with checksums, or 1,000 keys of 1 KiB, fully escaped
MAX_DELETE_KEYS = 1000  # S3's rule for one multi-delete
MAX_TAG_KEY_CHARS = 128  # S3's rule
MAX_TAG_VALUE_CHARS = 256  # S3's rule
MAX_UNDECLARED_BYTES = 1 * MIB  # a body of unknown length is held until its end; SDKs declare theirs
DELETES_AT_ONCE = 128  # of one DeleteObjects: they share group commits and do not fill the worker's queue
MAX_BUCKETS_LISTED = 10_000  # S3's limit of one ListBuckets page

# --- the edge: connections and requests -------------------------------------------------------------------------------
MAX_URL_BYTES = 8 * KIB  # a key of 1,024 bytes is 3,072 when escaped, a presigned query with a session token 2 KiB
MAX_HEADER_BYTES = 32 * KIB  # S3 takes 8 KiB of headers; tokens of proxies and sessions come on top
MAX_HEADER_COUNT = 200  # 2 KiB of user metadata in names of a few letters
HEADER_NAMES_CACHED = 1024  # spellings of header names, lower-cased once; metadata names come on top and are not kept
MAX_PIPELINED_REQUESTS = 256  # per connection; browsers and SDKs send none ahead, so that more is an attack on memory
MAX_CONNECTIONS = 4096  # per worker: 20 KiB each with their buffers; TLS adds 50 KiB
TLS_HANDSHAKE_S = 10.0  # an honest handshake takes three round trips; the place is held meanwhile
BOARD_SLOTS = 256  # workers of one server at most, and those that are just being replaced
ACCEPT_YIELD_S = 0.001  # a new connection is left to a worker with fewer for so long: the least a timer can do
MAX_REQUESTS_AT_ONCE = 1024  # per worker; each may hold a few chunks, above it 503 is the honest answer
BODY_BUFFER_BYTES = 512 * KIB  # read ahead of the application on one connection: two reads of the socket
WRITE_BUFFER_BYTES = 512 * KIB  # written ahead of a slow client on one connection
UPLOADS_AT_ONCE = 2  # per worker, of bodies above INLINE_BODY_BYTES: keeps coding and drives busy; 20 MiB each
INTAKE_WAIT_S = 120.0  # for a place; SDKs wait 60 s for a first answer, and then try again
INTAKE_PARK_S = 0.25  # an upload that waits so long for its client lets another have its place
DISCARD_BYTES = 1 * MIB  # of a body nobody wanted, read so that the connection lives on; more costs a new connection
LINGER_S = 2.0  # a client that still sends gets this long to see why it was refused before the connection is reset
HEADER_TIMEOUT_S = 20.0  # a whole head must arrive in this time, whatever its rate (slowloris)
KEEP_ALIVE_S = 75.0  # idle connections; longer than the 60 s of the usual balancers, which then close first
BODY_STALL_S = 60.0  # not one byte of an announced body
WRITE_STALL_S = 60.0  # not one byte taken by the client
SWEEP_S = 1.0  # how exactly the four times above are kept: one timer a worker instead of two a request
LAST_REQUEST_S = 0.5  # when a worker ends, an idle connection is closed so much later: a request may be on its way
DRAIN_LIMIT_S = 25.0  # after SIGTERM requests under way may finish; under the 30 s most supervisors grant
WORKER_BEGIN_S = 10.0  # at a reload the old workers go on until a new one takes connections, or for good
WORKER_SILENCE_S = 30.0  # a worker whose loop stands still so long is killed and replaced
LISTEN_BACKLOG = 2048  # connections the kernel holds while workers are busy
READY_CACHE_S = 0.5  # balancers of many nodes ask many times a second
READY_WAIT_S = 2.0  # a committer that does not answer a question about itself is not ready

# --- the edge: what is observed ---------------------------------------------------------------------------------------
MAX_LEDGER_ENTRIES = 65_536  # finished requests not yet written down: 3 s at the best rate; more are only counted
LEDGER_FLUSH_S = 0.1  # lines are written in batches: a write a line would cost more than the request's parsing
MAX_LOGGED_KEY_BYTES = 1024  # a line names one key

# --- processes --------------------------------------------------------------------------------------------------------
RESTART_DELAYS_S = (0.0, 0.1, 0.5, 1.0, 2.0, 5.0)  # a child that keeps dying comes back ever more slowly
RESTART_FORGET_S = 30.0  # a child that lived so long starts the series anew
STOP_MARGIN_S = 8.0  # beyond its drain, for each child of the supervisor to end; then SIGKILL (nothing acked is lost)
NICENESS = {"http": 5, "background": 10}  # the committer goes first: everybody waits for it, and a batch wakes it often
INDEX_WATCH_S = 0.25  # a worker sees an index that appeared, or was made anew, this soon
TRIM_ABOVE_BYTES = 64 * MIB  # resident memory of a process above which free memory is given back; idle it has 45 MiB
TRIM_PAUSE_S = 3.0  # between two times in the committer: some ms each
OPEN_FILES = 65_536  # connections + strands; the usual soft limit of 1,024 is below one worker's connections

# --- background -------------------------------------------------------------------------------------------------------
LOOP_RETRY_S = 300.0  # a loop that keeps failing looks again at least this often
MAX_HEAL_REPORTS = 100_000  # segments whose damage a process remembers to have reported
CENSUS_INTERVAL_S = 30  # headers and lengths of every strand: seconds of work at 10,000 segments
CENSUS_SHORT_INTERVAL_S = 5.0  # while something is short: what could not be healed may be healable now
HEAL_SEALING_S = 1.0  # the committer seals between two batches
HEAL_RETRY_S = 10.0  # a segment that cannot be healed now is looked at again; at once when a drive comes or goes
HEAL_DOUBLINGS = 5  # of the line above: five minutes in the end
SCRUB_INTERVAL_S = 60  # between looks at whether a round is due
SCRUB_PAUSE_S = 86_400.0  # between rounds: a day; a round itself takes as long as the throttle says
COMPACT_LIVE_RATIO = 0.5  # below it a byte is moved to win at least one
PUNCH_SHARE = 16  # this part of a segment must have died since it was punched last: a walk over its heads is not free
COMPACT_CHUNKS_AT_ONCE = 4  # copied before they are synced together: 16 MiB of memory
STRAND_HEADER_ALLOWANCE_BYTES = 4 * KIB  # a strand's header is neither live nor to be won
CLEAN_PAYING_RATIO = 0.75  # on a full drive: a quarter must be dead before live records are written again
CLEAN_LOOK_PAUSE = 10  # and finding out takes a tenth of the time at most
CLEAN_KEEP_SEGMENTS = 4  # journal segments below which cleaning is not worth its writes
STALE_RETRIES = 8  # settings that change at every try are a client's own race; then it is told to try again
MOVED_RETRIES = 8  # a location that moved between look-up and read is looked up again; more moves are no accident
HOLDER_RETRIES = 8  # looks at a record that moves while it is looked up
MAX_NAMES_TOLD = 20  # objects that one line of a report names
REFERENCES_CACHED = 100_000  # bodies whose chunk places one census remembers
PROGRESS_INTERVAL_MS = 10_000  # an idle loop is written down this often, a working one at every step
NOW_LIMIT_S = 600.0  # of a command that does background work at once; what is left is said, and done later
COMPACT_SMALL_SHARE = 8  # a segment is small below this part of its full size ...
COMPACT_SMALL_SEGMENTS = 16  # ... and so many small ones are made into few
BULK_IDLE_S = 60.0  # a worker that has written nothing so long seals its open bulk segment, so that it can be healed
COMPACT_NOW_RATIO = 0.999  # when asked for by hand; the rest is padding
