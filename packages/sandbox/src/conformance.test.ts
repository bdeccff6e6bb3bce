import { describeConformance } from './sandbox.testsuite.ts';

describeConformance('launcher');
describeConformance('bubblewrap');
