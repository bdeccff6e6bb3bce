"""Finding tools at run time: ask for the few that are needed instead of reading the whole catalog."""

from servers._runtime import discover


def list_servers():
    """The servers there are: [{"server", "state", "tools", "reason"}], "tools" being how many it has."""
    return discover("list_servers", {})


def list_tools(server=None, *, detail=None, limit=None, offset=None):
    """The tools of one server, or of all, in the shape of a search."""
    return discover("list_tools", _given(server=server, detail=detail, limit=limit, offset=offset))


def search_tools(query, *, server=None, detail=None, limit=None, offset=None):
    """Tools that fit the words, the best first: {"items", "total", "tokens", "tokensSaved", "nextOffset"}.

    `items` is {server: [tool, …]} with detail "name", {server: {tool: description}} with "description", a list with "full".
    """
    return discover("search_tools", _given(q=query, server=server, detail=detail, limit=limit, offset=offset))


def get_tool(server, tool=None):
    """One tool with its schema, signature and an example: get_tool("filesystem", "read_text_file")."""
    if tool is None and "." in server:
        server, tool = server.split(".", 1)
    return discover("get_tool", _given(server=server, tool=tool))


def _given(**params):
    return {key: value for key, value in params.items() if value is not None}
