"""
title: Code executor
description: Runs short programs that find and call the tools of your servers.
version: 1.0.0
"""
import json
import urllib.error
import urllib.parse
import urllib.request

from pydantic import BaseModel, Field


class Tools:
    class Valves(BaseModel):
        url: str = Field(default="http://127.0.0.1:9091", description="Where the service listens")
        key: str = Field(default="", description="An API key of the role agent")

    def __init__(self):
        self.valves = self.Valves()

    def search_tools(self, query: str) -> str:
        """
        Finds tools by what they do. Do this before writing a program.
        :param query: What the tool should do, in a few words
        """
        found = self._ask("GET", "/tools/search?" + urllib.parse.urlencode({"q": query, "detail": "description", "limit": 10}))
        return "\n".join(f"servers.{server}: {json.dumps(tools)}" for server, tools in found["items"].items()) or "No tool does that."

    def run_program(self, code: str) -> str:
        """
        Runs a Python program; the value of its last expression is the answer. Tools are imported as `from servers.NAME import TOOL`.
        :param code: The program
        """
        execution = self._ask("POST", "/execute", {"language": "python", "code": code})
        return _told(execution)

    def resume_program(self, execution_id: str) -> str:
        """
        Waits for a program that a person has decided about, and answers with its result.
        :param execution_id: The id that run_program named
        """
        return _told(self._ask("POST", f"/executions/{execution_id}/resume", {"wait": True}))

    def _ask(self, method: str, path: str, body: dict | None = None) -> dict:
        headers = {"authorization": f"Bearer {self.valves.key}", "content-type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.valves.url + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            return json.load(error)


def _told(execution: dict) -> str:
    """An execution in words for the model; whoever uses the chat sees where to decide."""
    error = execution.get("error")
    if error:
        return f"{error['code']}: {error['message']}"
    if execution["status"] == "paused":
        approval = execution["approval"]
        return f"{approval['tool']} needs a person's decision at {approval['url']}; then call resume_program with {execution['executionId']}."
    return json.dumps({"result": execution["result"], "printed": execution["output"]})
