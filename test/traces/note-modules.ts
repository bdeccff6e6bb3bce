/** Given to a service with `--import`: writes down which modules of OpenTelemetry's it loads, one a line. */
import { appendFileSync } from 'node:fs';
import { registerHooks } from 'node:module';

const file = process.env.NOTE_MODULES_FILE ?? '/dev/null';

registerHooks({
  load(url, context, nextLoad) {
    const [, name] = /node_modules\/(@opentelemetry\/[\w-]+)\//.exec(url) ?? [];
    if (name !== undefined) appendFileSync(file, `${name}\n`);
    return nextLoad(url, context);
  },
});
