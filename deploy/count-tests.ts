// count-tests.ts ROOT REPORT [SECOND_REPORT]: reads vitest's JSON reports; names what was skipped, what broke outside a test and what
// passed only when its file was run again, alone; ends with "PASSED FAILED SKIPPED". A file that could not be loaded, and errors outside
// any test, count as failed.
// count-tests.ts --again ROOT REPORT: the files to run again, one a line; none where too much failed to be chance.
import { readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { isRecord } from './ask-service.ts';

/** Above it the change is at fault, not the machine: every failure stands. */
const UNSTEADY_MAXIMUM = 3;

interface Suite {
  readonly name: string;
  readonly isBroken: boolean;
  readonly tests: readonly { readonly title: string; readonly status: string }[];
}

interface Report {
  readonly isSuccess: boolean;
  readonly suites: readonly Suite[];
}

const isAgain = process.argv[2] === '--again';
const [root = '', file = '', secondFile] = process.argv.slice(isAgain ? 3 : 2);
const print = (line: string) => process.stdout.write(`${line}\n`);
const report = readReport(file);
if (isAgain) for (const { name } of worthAgain(report)) print(name);
else printCounts(report, secondFile === undefined ? null : readReport(secondFile));

function worthAgain({ suites }: Report): Suite[] {
  const failed = suites.filter((suite) => failuresOf(suite).length > 0);
  return failed.flatMap(failuresOf).length <= UNSTEADY_MAXIMUM ? failed : [];
}

function printCounts({ isSuccess, suites }: Report, second: Report | null): void {
  let passed = 0;
  let failed = 0;
  let skipped = 0;
  let unsteady = 0;
  for (const suite of suites) {
    const again = second?.suites.find(({ name }) => name === suite.name);
    const hasRecovered = again !== undefined && failuresOf(again).length === 0 && again.tests.length >= suite.tests.length;
    if (hasRecovered) {
      for (const title of failuresOf(suite))
        print(`~ unsteady: ${relative(root, suite.name)} > ${title} failed at first and passed when run again`);
      unsteady += failuresOf(suite).length;
    } else for (const title of failuresOf(suite)) print(`✗ ${relative(root, suite.name)} > ${title}`);
    const counted = hasRecovered ? again : suite;
    passed += counted.tests.filter(({ status }) => status === 'passed').length;
    failed += failuresOf(counted).length;
    const left = counted.tests.filter(({ status }) => status !== 'passed' && status !== 'failed').map(({ title }) => title);
    skipped += left.length;
    if (left.length > 0)
      print(`- skipped in ${relative(root, suite.name)}: ${left.length === counted.tests.length ? `all ${left.length}` : left.join('; ')}`);
  }
  if (!isSuccess && failed === 0 && (unsteady === 0 || second?.isSuccess !== true)) {
    print(suites.length === 0 ? '✗ vitest did not run to its end' : '✗ vitest: errors outside of any test, shown above');
    failed += 1;
  }
  print(`${passed} ${failed} ${skipped}`);
}

function failuresOf(suite: Suite): string[] {
  const titles = suite.tests.filter(({ status }) => status === 'failed').map(({ title }) => title);
  return suite.isBroken && titles.length === 0 ? ['the file itself'] : titles;
}

function readReport(path: string): Report {
  try {
    const parsed: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (isRecord(parsed) && Array.isArray(parsed.testResults))
      return { isSuccess: parsed.success === true, suites: parsed.testResults.filter(isRecord).map(readSuite) };
  } catch {
    // No report, or half of one: vitest was ended.
  }
  return { isSuccess: false, suites: [] };
}

function readSuite(suite: Record<string, unknown>): Suite {
  const tests = Array.isArray(suite.assertionResults) ? suite.assertionResults.filter(isRecord) : [];
  return {
    name: String(suite.name),
    isBroken: suite.status === 'failed',
    tests: tests.map((test) => ({ title: String(test.fullName).trim(), status: String(test.status) })),
  };
}
