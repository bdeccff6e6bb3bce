import { type Handler, UsageError } from '../command/command.ts';
import { GLOBAL_OPTIONS } from '../command/parse-words.ts';
import { COMMANDS } from '../commands.ts';

export const completion: Handler = async (context, { words: [shell = ''] }) => {
  const script = { bash, zsh, fish }[shell];
  if (script === undefined) throw new UsageError(`There is no completion for ${JSON.stringify(shell)}; there is bash, zsh and fish.`);
  context.terminal.out(script());
  return 0;
};

/** What may follow each beginning of a command: its next words, or its options. */
function nextWords(): Map<string, string[]> {
  const next = new Map<string, string[]>();
  const add = (before: string, word: string): void => {
    const words = next.get(before) ?? [];
    if (!words.includes(word)) next.set(before, [...words, word]);
  };
  for (const { name, options, hidden } of COMMANDS) {
    if (hidden === true) continue;
    const words = name.split(' ');
    for (const [at, word] of words.entries()) add(words.slice(0, at).join(' '), word);
    for (const option of Object.keys({ ...options, ...GLOBAL_OPTIONS })) add(name, `--${option}`);
  }
  return next;
}

const cases = (): string =>
  [...nextWords()].map(([before, words]) => `    ${JSON.stringify(before)}) words="${words.join(' ')}" ;;`).join('\n');

/** The words before the cursor that name a command, options left out. */
const bash = (): string => `# bash completion of executor
_executor() {
  local word words='' path='' current=\${COMP_WORDS[COMP_CWORD]}
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    [[ $word == -* ]] || path=\${path:+$path }$word
  done
  case $path in
${cases()}
    *) COMPREPLY=($(compgen -f -- "$current")); return ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _executor executor
`;

const zsh = (): string => `#compdef executor
_executor() {
  local word words_='' path_=''
  for word in \${words[2,CURRENT-1]}; do
    [[ $word == -* ]] || path_=\${path_:+$path_ }$word
  done
  case $path_ in
${cases().replaceAll(' words="', ' words_="')}
    *) _files; return ;;
  esac
  compadd -- \${=words_}
  # Behind a whole command there may be a file, too.
  if [[ $words_ == --* && \${words[CURRENT]} != -* ]]; then _files; fi
}
compdef _executor executor
`;

const fish = (): string =>
  `# fish completion of executor
function __executor_path
  set -l words (commandline -opc)
  string join ' ' -- (string match -v -- '-*' $words[2..-1])
end
${[...nextWords()].map(([before, words]) => `complete -c executor${fileFlag(words)} -n 'test "$(__executor_path)" = "${before}"' -a '${words.join(' ')}'`).join('\n')}
`;

/** Behind a whole command there may be a file; within its name there is none. */
const fileFlag = (words: readonly string[]): string => (words[0]?.startsWith('--') === true ? '' : ' -f');
