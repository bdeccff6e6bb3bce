import { close_issue } from '/workspace/servers/tracker/close_issue.js';

const issue = await close_issue({ number: 3, body: { reason: 'duplicate of #1' } });
return `#${issue.number} is ${issue.state}`;
