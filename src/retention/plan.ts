import { KEEPERS, type Keeper, type KeeperName } from './keepers.ts';
import { OBSTACLES, type Obstacle, type ObstacleName } from './obstacles.ts';
import type { SourceState, StoredBackup } from './stored-backup.ts';
import { viewOf } from './view.ts';

const DAY_MS = 24 * 60 * 60_000;

export interface Reason {
  readonly rule: KeeperName | 'blocked' | 'not-configured' | 'only-whole-copy' | 'removal-begun' | 'no-rule-keeps-it';
  /** Completes "it stays because …", "it goes because …". */
  readonly says: string;
}

/** What becomes of one backup on one target, and why: at least one reason. */
export interface Decision {
  readonly target: string;
  readonly key: string;
  readonly label: string;
  readonly source: string;
  readonly time?: number;
  readonly action: 'keep' | 'remove';
  readonly reasons: readonly Reason[];
}

/** Why nothing of a source is removed from a target. */
export interface Block {
  readonly source: string;
  readonly target: string;
  readonly obstacle: ObstacleName;
  readonly says: string;
}

export interface RetentionPlan {
  /** One for each backup on each target that holds something of it; newest first within a target. */
  readonly decisions: readonly Decision[];
  readonly blocks: readonly Block[];
  /** Sources that have backups and are not configured: nothing of theirs is removed. */
  readonly unconfigured: readonly string[];
}

export interface RetentionInput {
  readonly backups: readonly StoredBackup[];
  readonly sources: readonly SourceState[];
  /** Names of all targets, every one of them listed wholly. */
  readonly targets: readonly string[];
  /** ms since 1970. */
  readonly now: number;
}

/** What decides; a test takes one away and sees that a backup is lost. */
export interface RetentionLaw {
  readonly keepers: Readonly<Partial<Record<KeeperName, Keeper>>>;
  readonly obstacles: Readonly<Partial<Record<ObstacleName, Obstacle>>>;
  readonly onlyWholeCopy: boolean;
}

const LAW: RetentionLaw = { keepers: KEEPERS, obstacles: OBSTACLES, onlyWholeCopy: true };

/** Which backups stay and which go, on every target, each with its reasons. Pure: looks at nothing but its input. */
export function planRetention(input: RetentionInput, law: RetentionLaw = LAW): RetentionPlan {
  const { backups, sources, targets, now } = input;
  const blocks: Block[] = [];
  const decisions = targets.flatMap((target) =>
    sources.flatMap((source) => {
      const { decided, block } = decide(backups, source, target, now, law);
      if (block) blocks.push(block);
      return decided;
    }),
  );
  const strangers = backups.filter(({ source }) => sources.every(({ name }) => name !== source));
  const kept = strangers.flatMap((backup) =>
    [...backup.held.keys()].map((target) =>
      decision(backup, target, 'keep', [{ rule: 'not-configured', says: `its source ${backup.source} is not configured` }]),
    ),
  );
  const settled = [...(law.onlyWholeCopy ? keepOnlyWholeCopies(decisions, backups) : decisions), ...kept];
  const position = (name: string) => targets.indexOf(name);
  return {
    decisions: settled.sort((a, b) => position(a.target) - position(b.target) || newestFirst(a, b)),
    blocks,
    unconfigured: [...new Set(strangers.map(({ source }) => source))].sort(),
  };
}

function decide(
  backups: readonly StoredBackup[],
  source: SourceState,
  target: string,
  now: number,
  law: RetentionLaw,
): { decided: Decision[]; block?: Block } {
  const rules = source.rules.get(target);
  if (rules === undefined) throw new Error(`no rules for ${source.name} on ${target}`);
  const view = viewOf(backups, source, target, rules, now);
  const begun = backups.filter((backup) => backup.source === source.name && backup.held.get(target) === 'expired');
  const reasons = new Map<string, Reason[]>(view.here.map(({ key }) => [key, []]));
  for (const [rule, keep] of Object.entries(law.keepers) as [KeeperName, Keeper][]) {
    for (const [key, says] of keep(view)) {
      const known = reasons.get(key)!;
      if (known.every((each) => each.rule !== rule)) known.push({ rule, says });
    }
  }
  const block = blockOf();
  const barrier: Reason | undefined = block && { rule: 'blocked', says: `nothing goes now: ${block.says}` };
  const decided = [
    ...view.here.map((backup) => {
      const kept = reasons.get(backup.key)!;
      if (kept.length > 0) return decision(backup, target, 'keep', kept);
      if (barrier) return decision(backup, target, 'keep', [barrier]);
      return decision(backup, target, 'remove', [
        { rule: 'no-rule-keeps-it', says: `${ageText(backup.time!)}, and no rule keeps it` },
      ]);
    }),
    ...begun.map((backup) => {
      if (barrier) return decision(backup, target, 'keep', [barrier]);
      return decision(backup, target, 'remove', [{ rule: 'removal-begun', says: 'its removal had begun and was interrupted' }]);
    }),
  ];
  return { decided, ...(block && decided.length > 0 && { block }) };

  function blockOf(): Block | undefined {
    for (const [obstacle, ask] of Object.entries(law.obstacles) as [ObstacleName, Obstacle][]) {
      const says = ask(view);
      if (says !== undefined) return { source: source.name, target, obstacle, says };
    }
    return undefined;
  }

  function ageText(time: number): string {
    const days = Math.floor((now - time) / DAY_MS);
    return days === 1 ? 'it is 1 day old' : `it is ${days} days old`;
  }
}

/** What is to stay on one target must be whole somewhere: as long as it is not there, the whole copy elsewhere stays too. */
function keepOnlyWholeCopies(decisions: readonly Decision[], backups: readonly StoredBackup[]): Decision[] {
  const held = new Map(backups.map((backup) => [backup.key, backup.held]));
  const isSound = ({ key, target }: Decision) => held.get(key)?.get(target) === 'sound';
  const staying = Map.groupBy(
    decisions.filter(({ action }) => action === 'keep'),
    ({ key }) => key,
  );
  return decisions.map((each) => {
    const others = staying.get(each.key) ?? [];
    if (each.action === 'keep' || !isSound(each) || others.length === 0 || others.some(isSound)) return each;
    const where = others.map(({ target }) => target).join(', ');
    const says = `it is to stay on ${where}, and is not whole there`;
    return { ...each, action: 'keep', reasons: [{ rule: 'only-whole-copy', says }] };
  });
}

function decision(
  { key, label, source, time }: StoredBackup,
  target: string,
  action: Decision['action'],
  reasons: readonly Reason[],
): Decision {
  return { target, key, label, source, ...(time !== undefined && { time }), action, reasons };
}

function newestFirst(a: Decision, b: Decision): number {
  return (b.time ?? Infinity) - (a.time ?? Infinity) || (a.key < b.key ? 1 : -1);
}
