"""Writes a value as JSON: by the rules of the json module, with more types, a limit, and a place named for what cannot be written."""

import builtins

__builtins__ = builtins.__dict__.copy()  # Functions below look names up here, whatever a program does to builtins.

import _json
import sys

quote = _json.encode_basestring
int_text = int.__repr__
float_text = float.__repr__
setrecursionlimit, getrecursionlimit = sys.setrecursionlimit, sys.getrecursionlimit
set_digits = getattr(sys, "set_int_max_str_digits", None)
MAX_DEPTH = 1000
INFINITY = float("inf")


class NotSerializable(Exception):
    def __init__(self, code, message):
        super().__init__(message)
        self.code = code
        self.message = message


def serialize(value, limit_bytes, name="result"):
    """The JSON text of `value`. Raises NotSerializable as soon as it is known to be impossible or over the limit."""
    writer = _Writer(limit_bytes, name)
    before = getrecursionlimit()
    # Two frames for each level, beside what the program itself has on the stack.
    setrecursionlimit(max(before, 10 * MAX_DEPTH))
    if set_digits is not None:
        set_digits(0)
    try:
        writer.write(value)
    except NotSerializable:
        raise
    except RecursionError:
        raise writer.too_deep() from None
    except Exception as error:
        raise writer.refuse(f"could not be read ({type(error).__name__}: {_text_of(error)})", "Return plain values.") from None
    finally:
        setrecursionlimit(before)
    text = "".join(writer.parts)
    # Lone surrogates come out as escapes.
    if len(text) * 3 > limit_bytes and len(text.encode("utf-8", "backslashreplace")) > limit_bytes:
        raise writer.too_large()
    return text


def _text_of(error):
    try:
        return str(error)[:500]
    except Exception:
        return "it cannot be shown"


class _Writer:
    def __init__(self, limit, name):
        self.limit = limit
        self.name = name
        self.size = 0
        self.parts = []
        self.path = []
        self.open = []

    def emit(self, text):
        self.parts.append(text)
        self.size += len(text)
        if self.size > self.limit:
            raise self.too_large()

    def write(self, value):
        kind = type(value)
        if kind is str:
            if len(value) > self.limit - self.size:
                raise self.too_large()
            self.emit(quote(value))
        elif value is None:
            self.emit("null")
        elif value is True:
            self.emit("true")
        elif value is False:
            self.emit("false")
        elif kind is int:
            if value.bit_length() > 4 * self.limit:
                raise self.too_large()
            self.emit(int_text(value))
        elif kind is float:
            self.emit(_float(value))
        elif kind is dict:
            self.mapping(value)
        elif kind is list or kind is tuple:
            self.items(value, value)
        else:
            self.other(value, kind)

    def items(self, value, items):
        self.enter(value)
        self.emit("[")
        path = self.path
        path.append(0)
        write = self.write
        first = True
        for index, item in enumerate(items):
            if first:
                first = False
            else:
                self.emit(",")
            path[-1] = index
            write(item)
        path.pop()
        self.emit("]")
        self.open.pop()

    def mapping(self, value):
        self.enter(value)
        self.emit("{")
        path = self.path
        path.append("")
        write = self.write
        first = True
        for key, item in value.items():
            path[-1] = key
            text = quote(key) if type(key) is str else quote(self.key(key))
            self.emit(f"{text}:" if first else f",{text}:")
            first = False
            write(item)
        path.pop()
        self.emit("}")
        self.open.pop()

    def key(self, key):
        if isinstance(key, str):
            return str.__str__(key)
        if key is None:
            return "null"
        if key is True:
            return "true"
        if key is False:
            return "false"
        if isinstance(key, int):
            return int_text(key)
        if isinstance(key, float):
            return _float(key)
        self.path.pop()
        raise self.refuse(f"has a key of type {_name(type(key))}", "JSON keys are strings: use str(key), or a list of pairs.")

    def enter(self, value):
        if len(self.open) >= MAX_DEPTH:
            raise self.too_deep()
        for level, ancestor in enumerate(self.open):
            if ancestor is value:
                raise self.refuse(f"refers back to {self.place(level)}: a cycle", "Return a copy without the reference back.")
        self.open.append(value)

    def other(self, value, kind):
        """Subclasses and everything that is no JSON by itself; the order is from the plain to the guessed."""
        if isinstance(value, str):
            return self.write(str.__str__(value) if kind.__str__ is str.__str__ else "".join(value))
        if isinstance(value, int):
            return self.emit(int_text(value))
        if isinstance(value, float):
            return self.emit(_float(value))
        if isinstance(value, dict):
            return self.mapping(value)
        if isinstance(value, (bytes, bytearray, memoryview)):
            raise self.refuse(f"is {_name(kind)}", "Use .decode() for text, or base64.b64encode(value).decode().")
        if isinstance(value, (list, tuple, set, frozenset, range)) or kind.__name__ in ("dict_keys", "dict_values", "dict_items", "deque"):
            if isinstance(value, range) and len(value) * 2 > self.limit - self.size:
                raise self.too_large()
            return self.items(value, value)
        if type(kind).__name__ in ("EnumType", "EnumMeta"):
            return self.write(value.value)
        if isinstance(value, BaseException):
            return self.write({"name": kind.__name__, "message": str(value)})
        if isinstance(value, type) or callable(value) and not hasattr(kind, "isoformat"):
            raise self.refuse(f"is a {'class' if isinstance(value, type) else 'function'}", "Call it, or return its values.")
        if hasattr(kind, "__await__") or kind.__name__ == "coroutine":
            raise self.refuse(f"is a {_name(kind)} that nobody awaited", "Use `await`.")
        converted = self.convert(value, kind)
        if converted is value:
            raise self.refuse(f"is a {_name(kind)}", self.advice(value, kind))
        self.enter(value)
        self.write(converted)
        self.open.pop()

    def convert(self, value, kind):
        if hasattr(kind, "isoformat"):
            return value.isoformat()
        if kind.__name__ in ("Decimal", "UUID", "Fraction") or hasattr(kind, "__fspath__"):
            return str(value)
        if kind.__name__ == "timedelta":
            return value.total_seconds()
        fields = getattr(kind, "__dataclass_fields__", None)
        if fields is not None:
            return {name: getattr(value, name) for name in fields}
        if hasattr(kind, "to_dict") and hasattr(kind, "columns"):
            return value.to_dict("records")
        for method in ("tolist", "model_dump", "to_dict", "_asdict"):
            if hasattr(kind, method):
                return getattr(value, method)()
        return value

    def advice(self, value, kind):
        if hasattr(kind, "__next__") or hasattr(kind, "__iter__"):
            return "Use list(value)."
        if kind is complex:
            return "Return [value.real, value.imag], or str(value)."
        return "Return a dict of the fields that are needed, for example vars(value)."

    def refuse(self, what, advice):
        return NotSerializable(
            "RESULT_NOT_SERIALIZABLE",
            f"The {'result' if self.name == 'result' else 'argument'} cannot be written as JSON: {self.place(len(self.path))} {what}. {advice}",
        )

    def too_large(self):
        return NotSerializable(
            "RESULT_TOO_LARGE",
            f"The result is larger than {self.limit} bytes as JSON. Return a summary or the part that is needed, or keep the rest in a tool.",
        )

    def too_deep(self):
        return NotSerializable(
            "RESULT_NOT_SERIALIZABLE",
            f"The result nests deeper than {MAX_DEPTH} levels. Return a flatter value, or only the part that is needed.",
        )

    def place(self, length):
        shown = "".join(f"[{quote(key) if isinstance(key, str) else _key_text(key)}]" for key in self.path[: min(length, 20)])
        return f"{self.name}{shown}{'…' if length > 20 else ''}"


def _key_text(key):
    return int_text(key) if isinstance(key, int) else type(key).__name__


def _name(kind):
    return kind.__name__ if kind.__module__ in ("builtins", "__main__") else f"{kind.__module__}.{kind.__name__}"


def _float(value):
    return float_text(value) if value == value and value not in (INFINITY, -INFINITY) else "null"
