import type { Command } from 'commander';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

/** One command as the shell completes it: its words after the name of the program. */
interface Node {
  readonly words: readonly string[];
  readonly about: string;
  /** What may follow: commands below it, values of its arguments, options. */
  readonly next: readonly { readonly word: string; readonly about: string }[];
}

/** A script that makes a shell complete commands, options and fixed arguments. */
export function completionScript(program: Command, shell: Shell): string {
  const nodes = nodesOf(program, []);
  switch (shell) {
    case 'bash':
      return bash(program.name(), nodes);
    case 'zsh':
      return zsh(program.name(), nodes);
    case 'fish':
      return fish(program.name(), nodes);
  }
}

function nodesOf(command: Command, words: readonly string[]): Node[] {
  const below = command.commands.map((each) => ({ word: each.name(), about: each.description() }));
  const values = command.registeredArguments.flatMap(({ argChoices, description }) =>
    (argChoices ?? []).map((word) => ({ word, about: description })),
  );
  const options = [...command.options, { long: '--help', description: 'show help' }].flatMap(({ long, description }) =>
    long ? [{ word: long, about: description }] : [],
  );
  const next = [...below, ...values, ...options];
  return [
    { words, about: command.description(), next },
    ...command.commands.flatMap((each) => nodesOf(each, [...words, each.name()])),
  ];
}

/** Shared by bash and zsh: which command has been typed so far, in $path, and what may come next, in $next. */
function walk(nodes: readonly Node[]): string {
  const commands = nodes.filter(({ words }) => words.length > 0).map(({ words }) => `'${words.join(' ')}'`);
  return [
    '    case "${path:+$path }$word" in',
    `      ${commands.join('|')}) path="\${path:+$path }$word" ;;`,
    '    esac',
    '  done',
    '  case "$path" in',
    ...nodes.map(({ words, next }) => `    '${words.join(' ')}') next='${next.map(({ word }) => word).join(' ')}' ;;`),
    '  esac',
  ].join('\n');
}

function bash(name: string, nodes: readonly Node[]): string {
  return `# ${name} completion bash >/etc/bash_completion.d/${name}   or: source <(${name} completion bash)
_backup_manager() {
  local word path='' next=''
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
${walk(nodes)}
  COMPREPLY=($(compgen -W "$next" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _backup_manager ${name}
`;
}

function zsh(name: string, nodes: readonly Node[]): string {
  return `#compdef ${name}
# ${name} completion zsh >"\${fpath[1]}/_${name}"
_backup_manager() {
  local word where='' next=''
  for word in "\${(@)words[2,CURRENT-1]}"; do
${walk(nodes).replaceAll('path', 'where')}
  compadd -- \${=next}
  [[ $PREFIX == -* ]] || _files
}
compdef _backup_manager ${name}
`;
}

function fish(name: string, nodes: readonly Node[]): string {
  const lines = nodes.flatMap(({ words, next }) => {
    const below = next.filter(({ word }) => !word.startsWith('-')).map(({ word }) => word);
    const condition =
      words.length === 0
        ? '__fish_use_subcommand'
        : [
            ...words.map((word) => `__fish_seen_subcommand_from ${word}`),
            ...(below.length > 0 ? [`not __fish_seen_subcommand_from ${below.join(' ')}`] : []),
          ].join('; and ');
    return next.map(({ word, about }) => {
      const what = word.startsWith('--') ? `-l ${word.slice(2)}` : `-a ${word}`;
      return `complete -c ${name} -n '${condition}' ${what} -d '${about.replaceAll('\\', '').replaceAll("'", "\\'")}'`;
    });
  });
  return [`# ${name} completion fish >~/.config/fish/completions/${name}.fish`, ...lines, ''].join('\n');
}
