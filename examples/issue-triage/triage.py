"""Labels the open issues by what they say, and closes those that say of themselves that another one is the same."""
import re

from servers.tracker import close_issue, label_issue, list_issues

WORDS = {
    "bug": r"crash|error|broken|fails",
    "feature": r"please add|would be nice|support for",
    "question": r"^how|\?$",
}

counts = {}
closed = []
for issue in list_issues(state="open"):
    said = f"{issue['title']}\n{issue['text']}"
    labels = [label for label, words in WORDS.items() if re.search(words, said, re.IGNORECASE | re.MULTILINE)]
    original = re.search(r"same as #(\d+)", said, re.IGNORECASE)
    if original:
        labels.append("duplicate")
    if labels:
        label_issue(number=issue["number"], body={"labels": labels})  # allowed by a policy
    for label in labels:
        counts[label] = counts.get(label, 0) + 1
    if original:
        # Waits here, frozen, until a person has decided.
        close_issue(number=issue["number"], body={"reason": f"duplicate of #{original[1]}"})
        closed.append(issue["number"])

print(f"labelled {sum(counts.values())} times")
{"labels": counts, "closed": closed}
