import { describe } from '../call/browse.ts';
import type { Handler } from '../command/command.ts';

export const describeTool: Handler = async (context, { words: [server = '', tool = ''] }) => {
  context.answer(await (await context.client()).tools.info(server, tool, { signal: context.signal }), describe);
  return 0;
};
