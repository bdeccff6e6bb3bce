"""The same tools, to be awaited: `from servers.aio.filesystem import read_text_file`."""


def __getattr__(name):
    from importlib import import_module

    try:
        return import_module(f"servers.aio.{name}")
    except ModuleNotFoundError as error:
        if error.name != f"servers.aio.{name}":
            raise
        raise AttributeError(f"there is no server {name!r}") from None
