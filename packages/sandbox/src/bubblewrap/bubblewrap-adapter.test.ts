import { describeIsolation } from '../boot/testing/isolation-cases.ts';

describeIsolation('bubblewrap');
