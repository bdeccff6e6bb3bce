import type { NewSkill } from '@code-executor/contracts';

export const SUMMARIZE_ROWS: NewSkill = {
  name: 'summarize_rows',
  language: 'python',
  description:
    'Summarizes a table, given as a list of objects or as CSV text: for each column how many values there are, how many are missing and distinct, minimum, maximum, mean and sum of numbers, the most frequent values; counts by group where asked.',
  parameters: {
    type: 'object',
    properties: {
      rows: { type: 'array', items: { type: 'object' }, description: 'the rows; or csv' },
      csv: { type: 'string', description: 'text with a header line' },
      group_by: { type: 'string', description: 'a column by whose values rows are counted' },
      top: { type: 'integer', minimum: 1, maximum: 100, description: 'how many frequent values of a column; 5 by default' },
    },
    additionalProperties: false,
  },
  code: `import csv
import io
from collections import Counter

if "csv" in args:
    rows = list(csv.DictReader(io.StringIO(args["csv"])))
elif "rows" in args:
    rows = args["rows"]
else:
    raise ValueError("give either rows or csv")
top = args.get("top", 5)


def number(value):
    if isinstance(value, bool) or value is None:
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


columns = {}
for name in dict.fromkeys(key for row in rows for key in row if key is not None):
    values = [row.get(name) for row in rows]
    present = [value for value in values if value is not None and value != ""]
    counts = Counter(value if isinstance(value, (str, int, float, bool)) else repr(value) for value in present)
    summary = {"count": len(present), "missing": len(rows) - len(present), "distinct": len(counts)}
    numbers = [number(value) for value in present]
    if present and all(value is not None and value == value for value in numbers):
        summary.update(min=min(numbers), max=max(numbers), mean=sum(numbers) / len(numbers), sum=sum(numbers))
    summary["top"] = [[value, count] for value, count in counts.most_common(top)]
    columns[name] = summary

result = {"rows": len(rows), "columns": columns}
if "group_by" in args:
    result["groups"] = dict(Counter(str(row.get(args["group_by"])) for row in rows).most_common(1000))
result
`,
};
