import { describe } from 'vitest';
import { inspectContainer, observeContainer, startContainerPool } from '../../../../test/support/container-pool.ts';
import { dockerAnswers } from '../../../../test/support/containers.ts';
import { describeConformance } from '../sandbox.testsuite.ts';

const answers = await dockerAnswers();

describe.skipIf(!answers)(`single-use containers${answers ? '' : ' (skipped: no Docker engine answers)'}`, () => {
  describeConformance('container', async () => {
    const service = await startContainerPool();
    return {
      containers: { socketPath: service.socketPath, key: service.key },
      observe: (sandbox) => observeContainer(sandbox.id),
      initPidOf: async (sandbox) => (await inspectContainer(sandbox.id))?.pid ?? 0,
      close: () => service.stop(),
    };
  });
});
