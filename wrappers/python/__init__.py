"""The tools there are: `from servers.filesystem import read_text_file`. Servers are packages, imported when first named."""


def __getattr__(name):
    from importlib import import_module

    try:
        return import_module(f"servers.{name}")
    except ModuleNotFoundError as error:
        if error.name != f"servers.{name}":
            raise
        raise AttributeError(f"there is no server {name!r}") from None
