"""A tool for `litellm.completion(model, messages, tools=TOOLS)`: its definition, and what runs the calls that the model makes."""
import http.client
import json
import os
from urllib.parse import urlsplit

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "run_program",
            "description": "Runs a TypeScript program (`return` gives its result) or a Python one (its last expression does) in a fresh sandbox. "
            "Tools: `await tools.SERVER.TOOL({...})`, and in Python `from servers.SERVER import TOOL`.",
            "parameters": {
                "type": "object",
                "properties": {"language": {"enum": ["typescript", "python"]}, "code": {"type": "string"}},
                "required": ["language", "code"],
            },
        },
    }
]


def handle(tool_call) -> dict:
    """The message that answers one entry of `response.choices[0].message.tool_calls`; it never raises for what the model got wrong."""
    try:
        arguments = json.loads(tool_call.function.arguments)
        answer = execute({"language": arguments["language"], "code": arguments["code"]})
    except (ValueError, KeyError, TypeError) as error:
        answer = {"error": f"The arguments do not fit the tool: {error!r}"}
    return {"role": "tool", "tool_call_id": tool_call.id, "content": json.dumps(answer)}


def execute(program: dict) -> dict:
    service = urlsplit(os.environ.get("EXECUTOR_URL", "http://127.0.0.1:9091"))
    kind = http.client.HTTPSConnection if service.scheme == "https" else http.client.HTTPConnection
    connection = kind(service.netloc, timeout=120)
    try:
        key = os.environ["EXECUTOR_KEY"]
        connection.request("POST", "/execute", json.dumps(program), {"Authorization": f"Bearer {key}", "Content-Type": "application/json"})
        answer = json.loads(connection.getresponse().read())
    finally:
        connection.close()
    # What a model needs: what came of it, what was printed, what went wrong, and where a person decides.
    return {field: answer[field] for field in ("status", "result", "output", "error", "approval") if answer.get(field)}
