"""What a program learns from outside of its text, made repeatable: randomness comes from a seed, and what clocks said is told to the
service with each tool call, so that a later run of the same program can be told the same. Who starts a thread or a process says so.
"""

import builtins

__builtins__ = builtins.__dict__.copy()  # Functions below look names up here, whatever a program does to builtins.

import _thread
import posix
import sys
import time

modules = sys.modules
READS_MAXIMUM = 4_096
TAINTS = {
    "subprocess.Popen": "it started a process",
    "os.fork": "it started a process",
    "os.forkpty": "it started a process",
    "os.posix_spawn": "it started a process",
    "os.exec": "it started a process",
    "os.system": "it started a process",
}

_real_time, _real_monotonic, _real_counter = time.time, time.monotonic, time.perf_counter
_unsent = {}
_tainted = None
_reads = 0
_past = {}
_seed = ""
_block = b""
_counter = 0


def take_journal():
    """What happened since the last call; None: nothing."""
    global _unsent
    if not _unsent and _tainted is None:
        return None
    journal = {"clock": _unsent}
    if _tainted is not None:
        journal["tainted"] = _tainted
    _unsent = {}
    return journal


def install(determinism, texts):
    """Before the program's first line."""
    global _seed
    _seed = determinism["seed"]
    for name, values in determinism.get("clock", {}).items():
        _past[name] = [values, 0, 0.0]
    _install_clocks()
    posix.urandom = _urandom
    posix.getrandom = lambda size, flags=0: _urandom(size)
    if "os" in modules:
        modules["os"].urandom, modules["os"].getrandom = _urandom, posix.getrandom
    # These take milliseconds to load: they are patched where a program names them, or what loads them.
    if any(name in text for text in texts for name in ("random", "uuid", "secrets", "tempfile")):
        _install_random()
    if any("datetime" in text for text in texts):
        _install_datetime()
    sys.addaudithook(_audit)
    _install_threads()


def _audit(event, _arguments):
    global _tainted
    if event in TAINTS:
        _tainted = TAINTS[event]


def _install_threads():
    start = _thread.start_new_thread

    def start_new_thread(*arguments, **named):
        global _tainted
        _tainted = "it started a thread"
        return start(*arguments, **named)

    _thread.start_new_thread = _thread.start_new = start_new_thread
    if "threading" in modules:
        modules["threading"]._start_new_thread = start_new_thread


def _tell(name, now):
    """The next thing that a clock says: what it said the first time, and from there on what it says now, never before."""
    global _reads, _tainted
    known = _past.get(name)
    value = now
    if known is not None:
        if known[1] < len(known[0]):
            value = float(known[0][known[1]])
            known[1] += 1
            known[2] = max(0.0, value - now)
        else:
            value = now + known[2]
    _reads += 1
    if _reads > READS_MAXIMUM:
        _tainted = "it looked at the clock too often"
    else:
        _unsent.setdefault(name, []).append(value)
    return value


def _install_clocks():
    time.time = lambda: _tell("d", _real_time())
    time.monotonic = lambda: _tell("p", _real_monotonic())
    time.perf_counter = lambda: _tell("h", _real_counter())
    time.time_ns = lambda: int(_tell("d", _real_time()) * 1e9)
    time.monotonic_ns = lambda: int(_tell("p", _real_monotonic()) * 1e9)
    time.perf_counter_ns = lambda: int(_tell("h", _real_counter()) * 1e9)
    real_local, real_utc, real_text = time.localtime, time.gmtime, time.ctime
    time.localtime = lambda seconds=None: real_local(time.time() if seconds is None else seconds)
    time.gmtime = lambda seconds=None: real_utc(time.time() if seconds is None else seconds)
    time.ctime = lambda seconds=None: real_text(time.time() if seconds is None else seconds)


def _urandom(size):
    global _block, _counter
    import _sha512

    while len(_block) < size:
        _block += _sha512.sha512(f"{_seed}:{_counter}".encode()).digest()
        _counter += 1
    given, _block = _block[:size], _block[size:]
    return given


def _install_random():
    import random

    real_seed = random.Random.seed

    def seed(self, a=None, version=2):
        real_seed(self, int.from_bytes(_urandom(32), "big") if a is None else a, version)

    random.Random.seed = seed
    random._urandom = _urandom
    random.seed = random._inst.seed
    random.seed()


def _install_datetime():
    import datetime

    real, real_date = datetime.datetime, datetime.date

    stands_for = {}

    # What the C code makes are datetimes as before: they have to pass for instances of what stands in their place.
    class Kind(type):
        def __instancecheck__(cls, value):
            return isinstance(value, stands_for[cls]) if cls in stands_for else type.__instancecheck__(cls, value)

        def __subclasscheck__(cls, other):
            return issubclass(other, stands_for[cls]) if cls in stands_for else type.__subclasscheck__(cls, other)

    class Replaced(real, metaclass=Kind):
        @classmethod
        def now(cls, tz=None):
            return cls.fromtimestamp(time.time(), tz)

        @classmethod
        def today(cls):
            return cls.fromtimestamp(time.time())

        @classmethod
        def utcnow(cls):
            return cls.utcfromtimestamp(time.time())

    class ReplacedDate(real_date, metaclass=Kind):
        @classmethod
        def today(cls):
            return cls.fromtimestamp(time.time())

    for replaced, original, name in ((Replaced, real, "datetime"), (ReplacedDate, real_date, "date")):
        stands_for[replaced] = original
        replaced.__name__ = replaced.__qualname__ = name
        replaced.__module__ = "datetime"
        setattr(datetime, name, replaced)
