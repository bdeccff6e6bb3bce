import { list_notes } from '/workspace/servers/notes/list_notes.js';
import { list_issues } from '/workspace/servers/tracker/list_issues.js';

const { notes } = await list_notes({});
const open = await list_issues({ state: 'open' });
console.log(`${open.length} issues are open`);
return open.filter(({ number }) => notes.some((note) => note.includes(`#${number} `))).map(({ title }) => title);
