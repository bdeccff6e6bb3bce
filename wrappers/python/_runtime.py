"""What generated wrappers import. Calls leave through `code_executor`, the module that the runner put in place.

Only what is part of the interpreter is imported: `importlib`, `os` and `types` would be half of a program's first import.
"""

from posix import listdir
from sys import modules

from code_executor import acall as _acall
from code_executor import call as _call
from code_executor import discover

__all__ = ["UNSET", "acall", "askill", "asynchronously", "call", "discover", "foreign_skill", "lazily", "publish", "skill"]


FunctionType = type(lambda: None)
ModuleType = type(modules[__name__])


class _Unset:
    """Stands for an argument that was left out: it is not sent."""

    __slots__ = ()

    def __repr__(self):
        return "…"

    def __bool__(self):
        return False


UNSET = _Unset()


def call(tool, named, more):
    """Calls a tool by its address with the arguments that were given."""
    return _call(tool, _given(named, more))


def acall(tool, named, more):
    """The same, to be awaited."""
    return _acall(tool, _given(named, more))


def skill(address, named, more, source):
    """Runs a skill here, in the program that imports it. The call comes first: it checks the arguments, and policy may refuse it.

    A coroutine where the skill awaits: then its caller does, too.
    """
    given = _given(named, more)
    _call(address, given)
    return _run_skill(address, given, source)


async def askill(address, named, more, source):
    given = _given(named, more)
    await _acall(address, given)
    value = _run_skill(address, given, source)
    return await value if hasattr(value, "__await__") else value


def foreign_skill(address, language):
    raise RuntimeError(
        f"{address} is written in {language} and can be imported by {language} programs alone; "
        f"POST /tools/invoke/{address.replace('.', '/')} runs it by itself."
    )


def _run_skill(address, args, source):
    """By the runner's own compiler, so that a skill has the forms of a program."""
    run = getattr(modules["code_executor"], "run_skill", None)
    if run is None:
        raise RuntimeError("A child process runs no skill. Call it in the program itself.")
    return run(address, args, source)


def import_module(name):
    """`__import__` gives the outermost package; this gives the module itself."""
    __import__(name)
    return modules[name]


def publish(module_name, function):
    """Makes a tool's module callable, so that `import servers.a.b` followed by `servers.a.b(…)` works too."""
    module = modules[module_name]
    module.__class__ = _ToolModule
    module.__wrapped__ = function
    module.__doc__ = function.__doc__


def lazily(package, path):
    """`__getattr__` and `__dir__` of a server's package: a tool's file is loaded when the tool is first named."""

    def load(name):
        if name == "__all__":
            return _names(path)
        if name.startswith("__") and name.endswith("__") and name not in _names(path):
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        try:
            module = import_module(f"{package}.{name}")
        except ModuleNotFoundError as error:
            if error.name != f"{package}.{name}":
                raise
            alike = _alike(name, _names(path))
            if alike is not None:
                return load(alike)
            raise AttributeError(_missing(package, name, _names(path)), name=name, obj=modules[package]) from None
        function = getattr(module, "__wrapped__", module)
        setattr(modules[package], name, function)
        return function

    return load, lambda: _names(path)


def asynchronously(package, of):
    """The same for the package that holds the asynchronous forms of another's tools."""

    def load(name):
        source = import_module(of)
        if name == "__all__":
            return source.__all__
        function = getattr(source, name)
        if not isinstance(function, FunctionType) or not hasattr(modules.get(function.__module__), "__wrapped__"):
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        twin = _twin(function)
        setattr(modules[package], name, twin)
        return twin

    return load, lambda: dir(import_module(of))


class _ToolModule(ModuleType):
    def __call__(self, *args, **kwargs):
        return self.__wrapped__(*args, **kwargs)


class _Asynchronous:
    """What a twin finds where its original finds this module."""

    UNSET = UNSET
    call = staticmethod(acall)
    skill = staticmethod(askill)
    foreign_skill = staticmethod(foreign_skill)


def _twin(function):
    """The same code with the asynchronous channel in the place of the synchronous one."""
    twin = FunctionType(
        function.__code__, {**function.__globals__, "_rt": _Asynchronous}, function.__name__, function.__defaults__
    )
    twin.__kwdefaults__ = function.__kwdefaults__
    twin.__annotations__ = function.__annotations__
    twin.__doc__ = function.__doc__
    return twin


def _given(named, more):
    args = {key: value for key, value in named.items() if value is not UNSET}
    args.update(more)
    return args


def _names(path):
    return sorted(
        entry[:-3] for folder in path for entry in listdir(folder) if entry.endswith(".py") and entry != "__init__.py"
    )


def _alike(name, names):
    """The one tool that is meant where only the spelling differs: `get_pet_by_id` for `getPetById`."""
    alike = [other for other in names if other.replace("_", "").lower() == name.replace("_", "").lower()]
    return alike[0] if len(alike) == 1 else None


def _missing(package, name, names):
    from difflib import get_close_matches

    near = get_close_matches(name, names, n=3)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    return f"{package} has no tool {name!r}{hint}"
