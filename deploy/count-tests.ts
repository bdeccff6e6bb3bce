// count-tests.ts REPORT ROOT: reads vitest's JSON report; names what was skipped and what broke outside a test, and ends with
// "PASSED FAILED SKIPPED". A file that could not be loaded, and errors outside any test, count as failed.
import { readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { isRecord } from './ask-service.ts';

const [file = '', root = ''] = process.argv.slice(2);
const print = (line: string) => process.stdout.write(`${line}\n`);
const report = readReport();
const count = { passed: 0, failed: 0, skipped: 0 };
for (const suite of report.suites) countSuite(suite);
if (!report.success && count.failed === 0) {
  print(report.suites.length === 0 ? '✗ vitest did not run to its end' : '✗ vitest: errors outside of any test, shown above');
  count.failed += 1;
}
print(`${count.passed} ${count.failed} ${count.skipped}`);

interface Report {
  readonly success: boolean;
  readonly suites: readonly Record<string, unknown>[];
}

function readReport(): Report {
  try {
    const parsed: unknown = JSON.parse(readFileSync(file, 'utf8'));
    if (isRecord(parsed) && Array.isArray(parsed.testResults))
      return { success: parsed.success === true, suites: parsed.testResults.filter(isRecord) };
  } catch {
    // No report, or half of one: vitest was ended.
  }
  return { success: false, suites: [] };
}

function countSuite(suite: Record<string, unknown>): void {
  const name = relative(root, String(suite.name));
  const tests = Array.isArray(suite.assertionResults) ? suite.assertionResults.filter(isRecord) : [];
  const failedBefore = count.failed;
  const skipped: string[] = [];
  for (const test of tests) {
    if (test.status === 'passed') count.passed += 1;
    else if (test.status === 'failed') count.failed += 1;
    else skipped.push(String(test.fullName).trim());
  }
  count.skipped += skipped.length;
  if (skipped.length > 0) print(`- skipped in ${name}: ${skipped.length === tests.length ? `all ${skipped.length}` : skipped.join('; ')}`);
  if (suite.status === 'failed' && count.failed === failedBefore) {
    print(`✗ ${name} could not be run`);
    count.failed += 1;
  }
}
