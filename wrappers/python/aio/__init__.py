"""The same tools, to be awaited: `from servers.aio.filesystem import read_text_file`."""


def __getattr__(name):
    from servers._runtime import import_module

    if name.startswith("__"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return import_module(f"servers.aio.{name}")
    except ModuleNotFoundError as error:
        if error.name != f"servers.aio.{name}":
            raise
        raise AttributeError(f"there is no server {name!r}") from None
