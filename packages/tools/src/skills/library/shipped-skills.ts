import type { NewSkill } from '@code-executor/contracts';
import { EACH_PAGE } from './each-page.ts';
import { MAP_TOOL } from './map-tool.ts';
import { RETRY_TOOL } from './retry-tool.ts';
import { SUMMARIZE_ROWS } from './summarize-rows.ts';

/** What comes with the product: useful over any catalog. */
export const SHIPPED_SKILLS: readonly NewSkill[] = [EACH_PAGE, MAP_TOOL, RETRY_TOOL, SUMMARIZE_ROWS];
