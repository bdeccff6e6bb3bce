from servers.notes import list_notes
from servers.tracker import list_issues

notes = list_notes()["notes"]
issues = list_issues(state="open")
print(f"{len(issues)} issues are open")
[issue["title"] for issue in issues if any(f"#{issue['number']} " in note for note in notes)]
