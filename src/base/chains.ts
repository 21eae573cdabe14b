import type { StoredBaseBackup } from './list-bases.ts';

/** A physical backup that some target has whole, and so all that it builds on. */
export interface UsableBase extends StoredBaseBackup {
  /** What is put together to recover from it: the full one first, then each incremental one, itself last. */
  readonly chain: readonly StoredBaseBackup[];
}

export interface Chains {
  /** In the order in which they were given. */
  readonly usable: readonly UsableBase[];
  readonly unusable: readonly { readonly base: string; readonly why: string }[];
}

/** Which of a source's physical backups can be recovered from, by what the listing knows, and why not the others. Pure. */
export function usableBases(bases: readonly StoredBaseBackup[]): Chains {
  const byLabel = new Map(bases.map((base) => [base.manifest.label, base]));
  const usable: UsableBase[] = [];
  const unusable: Chains['unusable'][number][] = [];
  for (const base of bases) {
    const found = chainOf(base, byLabel);
    if (typeof found === 'string') unusable.push({ base: base.manifest.label, why: found });
    else usable.push({ ...base, chain: found });
  }
  return { usable, unusable };
}

/** Why not, in words, where it cannot be put together. */
function chainOf(base: StoredBaseBackup, byLabel: ReadonlyMap<string, StoredBaseBackup>): StoredBaseBackup[] | string {
  const chain: StoredBaseBackup[] = [];
  for (let link = base; ;) {
    const { label, parent } = link.manifest;
    if (!link.copies.some(({ state }) => state === 'whole')) {
      return link === base ? lacks(link) : `it builds on ${label}, which is whole on no target (${lacks(link)})`;
    }
    if (chain.includes(link)) return `what it builds on leads back to ${label}`;
    chain.unshift(link);
    if (!parent) return chain;
    const next = byLabel.get(parent.label);
    if (!next) return `it builds on ${parent.label}, which is missing`;
    if (next.manifest.pgManifest.sha256 !== parent.pgManifestSha256) {
      return `it builds on another ${parent.label} than the one that is there`;
    }
    link = next;
  }
}

function lacks({ copies }: StoredBaseBackup): string {
  return copies.map(({ target, state, detail }) => `${target.name}: ${detail ?? state}`).join('; ');
}
