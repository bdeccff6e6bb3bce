"""The runner's end of the channel, and the module `code_executor` that wrappers import."""

import builtins

__builtins__ = builtins.__dict__.copy()  # Functions below look names up here, whatever a program does to builtins.

import _json
import _thread
import posix
import sys
from _struct import Struct

CHANNEL = 3
READY, RUN, CALL, REPLY, RESULT, FAILURE, DISCOVER, STARTED, GO = range(1, 10)
HEADER = Struct(">IB")
ARGUMENTS_LIMIT_BYTES = 1024 * 1024
read, write, getpid = posix.read, posix.write, posix.getpid
allocate_lock = _thread.allocate_lock
modules = sys.modules
owner = getpid()


class _Scan:
    """What the scanner of `json` is made from; `json` itself would load `re`."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int
    parse_constant = float


_scan = _json.make_scanner(_Scan)
_quote = _json.encode_basestring


def parse(payload):
    """The value of a JSON text that the service wrote: no white space around it."""
    return _scan(payload.decode("utf-8", "replace"), 0)[0]


def send(kind, payload):
    """Returns when the kernel has taken the whole frame."""
    data = memoryview(HEADER.pack(len(payload), kind) + payload)
    while data:
        data = data[write(CHANNEL, data) :]


def receive():
    """Blocks for one frame. EOFError: the service has closed the channel."""
    size, kind = HEADER.unpack(_exactly(5))
    return kind, _exactly(size)


def _exactly(size):
    parts = []
    while size:
        part = read(CHANNEL, min(size, 1 << 20))
        if not part:
            raise EOFError
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


class ToolError(Exception):
    """What a failing tool call raises. `code` is stable, `details` is the tool's own."""

    def __init__(self, code, message, details=None):
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = details

    def __reduce__(self):
        return ToolError, (self.code, self.message, self.details)


class _Waiter:
    """One call on its way. `wake` is released when its reply is there, or when it is its turn to read."""

    __slots__ = ("wake", "reply", "tell")

    def __init__(self, tell=None):
        self.wake = allocate_lock()
        self.wake.acquire()
        self.reply = None
        self.tell = tell

    def notify(self):
        if self.tell is not None:
            if self.reply is not None:
                self.tell(self.reply)
        elif self.wake.locked():
            self.wake.release()


_sending = allocate_lock()
_reading = allocate_lock()
_waiting = {}
_last_id = 0
_closed = False


def _issue(kind, fields, waiter):
    global _last_id
    if getpid() != owner:
        raise ToolError("TOOL_CHANNEL_UNAVAILABLE", "A child process has no tool channel. Call tools in the program itself.")
    body = _encode(fields)
    if len(body) > ARGUMENTS_LIMIT_BYTES:
        raise ToolError("ARGUMENTS_TOO_LARGE", f"The arguments of this call exceed {ARGUMENTS_LIMIT_BYTES} bytes as JSON.")
    with _sending:
        if _closed:
            raise ToolError("TOOL_CHANNEL_UNAVAILABLE", "The tool channel of this execution is closed.")
        _last_id += 1
        _waiting[_last_id] = waiter
        send(kind, b'{"id":%d,' % _last_id + body)


def _encode(fields):
    """The rest of the frame's object, after its id."""
    text = "".join(f'"{name}":{encode_json(value, name)},' for name, value in fields)
    return (text[:-1] + "}").encode("utf-8", "backslashreplace")


def encode_json(value, name):
    """JSON by the rules of results. ToolError INVALID_ARGUMENTS says where a value is that cannot be written."""
    try:
        return serialize(value, 4 * ARGUMENTS_LIMIT_BYTES, name)
    except NotSerializable as error:
        code = "ARGUMENTS_TOO_LARGE" if error.code == "RESULT_TOO_LARGE" else "INVALID_ARGUMENTS"
        raise ToolError(code, error.message) from None


def _take():
    """Reads one frame and hands it to whoever waits for it. Only with `_reading` held."""
    global _closed
    try:
        kind, payload = receive()
    except (EOFError, OSError):
        _closed = True
        for waiter in list(_waiting.values()):
            waiter.reply = {"ok": False, "error": {"code": "CALL_ABORTED", "message": "The tool channel closed before the call was answered."}}
            waiter.notify()
        _waiting.clear()
        return
    if kind == REPLY:
        reply = parse(payload)
        if "meta" in reply:
            reply["size"] = len(payload)
        waiter = _waiting.pop(reply["id"], None)
        if waiter is not None:
            waiter.reply = reply
            waiter.notify()


def _await_reply(waiter):
    """One of the threads that wait reads for all of them; when it has its own reply it wakes the next."""
    while waiter.reply is None:
        if not _reading.acquire(False):
            waiter.wake.acquire()
            continue
        try:
            while waiter.reply is None:
                _take()
        finally:
            _reading.release()
            for other in list(_waiting.values()):
                if other.tell is None:
                    other.notify()
                    break
    return _value(waiter.reply)


def _value(reply):
    if reply["ok"]:
        value = reply.get("value")
        if "meta" in reply:
            _remember(value, reply["meta"], reply["size"])
        return value
    error = reply["error"]
    raised = ToolError(error["code"], error["message"], error.get("details"))
    raised.meta = reply.get("meta")
    raise raised


# A dict cannot be referred to weakly: the newest values are held on to, as long as they are few and small, since an id is reused.
_METAS_BYTES = 8 * 1024 * 1024
_metas = []


def _remember(value, meta, size):
    if not isinstance(value, (dict, list)):
        return
    _metas.append((value, meta, size))
    while len(_metas) > 1 and (len(_metas) > 64 or sum(entry[2] for entry in _metas) > _METAS_BYTES):
        del _metas[0]


def meta_of(value):
    """What an answer says about itself: {"status", "links", "rateLimit", "retryAfterSeconds"}, as far as it does. None: nothing is known."""
    if isinstance(value, ToolError):
        return getattr(value, "meta", None)
    for kept, meta, _ in reversed(_metas):
        if kept is value:
            return meta
    return None


def _ask(kind, *fields):
    waiter = _Waiter()
    _issue(kind, fields, waiter)
    return _await_reply(waiter)


def call(tool, args=None):
    """Calls a tool by its address, `server.tool`, and blocks for its reply. Any thread may."""
    return _ask(CALL, *_fields(tool, args))


def discover(op, params=None):
    """Asks the catalog."""
    return _ask(DISCOVER, ("op", op), ("params", {} if params is None else params))


def _fields(tool, args):
    fields = (("tool", str(tool)), ("args", {} if args is None else args))
    journal = take_journal()
    return fields if journal is None else (*fields, ("journal", journal))


async def acall(tool, args=None):
    """Calls a tool without blocking the running event loop."""
    asyncio = modules.get("asyncio")
    loop = None if asyncio is None else asyncio._get_running_loop()
    if loop is None:  # A program that awaits tools and nothing else runs without an event loop.
        return call(tool, args)
    future = loop.create_future()

    def settle(reply):
        if not future.done():
            future.set_result(reply)

    def tell(reply):
        try:
            loop.call_soon_threadsafe(settle, reply)
        except RuntimeError:
            pass  # The loop is closed: nobody waits any more.

    fields = _fields(tool, args)
    _readers[loop] = _readers.get(loop, 0) + 1
    loop.add_reader(CHANNEL, _read_ready)
    try:
        _issue(CALL, fields, _Waiter(tell))
        return _value(await future)
    finally:
        _readers[loop] -= 1
        if _readers[loop] == 0:
            del _readers[loop]
            loop.remove_reader(CHANNEL)


_readers = {}


def _read_ready():
    import select

    if not _reading.acquire(False):
        return  # A thread is about to take it.
    try:
        poll = select.poll()
        poll.register(CHANNEL, select.POLLIN)
        # A thread may have taken what woke this loop.
        if poll.poll(0):
            _take()
    finally:
        _reading.release()
        for other in list(_waiting.values()):
            if other.tell is None:
                other.notify()
                break


class _Server:
    __slots__ = ("_server",)

    def __init__(self, server):
        self._server = server

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        tool = f"{self._server}.{name}"

        def run(_args=None, /, **kwargs):
            given = kwargs if _args is None else {**_args, **kwargs}
            skill = _skill(name) if self._server == "skills" else None
            return call(tool, given) if skill is None else skill(**given)

        run.__name__ = run.__qualname__ = name
        return run

    __getitem__ = __getattr__


def _skill(name):
    """Skills run in the program itself. None: there is no such one, which the service says better."""
    try:
        from servers import skills

        return getattr(skills, name)
    except (ImportError, AttributeError):
        return None


class Tools:
    """`tools.server.tool(**arguments)`, any name: whether it exists is the service's to say."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return _Server(name)

    __getitem__ = __getattr__


def replace(path):
    """Takes the session's next channel in the place of the one that the service has closed."""
    global _closed
    import _socket

    fresh = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    fresh.connect(path)
    # A thread that still waits on the old one finds it closed and lets go.
    with _reading, _sending:
        for waiter in list(_waiting.values()):
            waiter.reply = {"ok": False, "error": {"code": "CALL_ABORTED", "message": "The execution ended before the call was answered."}}
            waiter.notify()
        _waiting.clear()
        _readers.clear()
        posix.dup2(fresh.fileno(), CHANNEL, False)
        _closed = False
    fresh.close()


def leave_child():
    """A forked child is no part of the channel: it must not be able to keep it open either."""
    global _closed
    _closed = True
    try:
        posix.close(CHANNEL)
    except OSError:
        pass


def create_module():
    module = type(sys)("code_executor")
    module.__doc__ = "Tool calls of this execution. Generated wrappers are built on it."
    for value in (call, acall, discover, meta_of, ToolError):
        setattr(module, value.__name__, value)
    ToolError.__module__ = "code_executor"
    return module


from program_result import NotSerializable, serialize  # noqa: E402
from program_world import take_journal  # noqa: E402
