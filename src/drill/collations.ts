import type { Manifest } from '../catalog/manifest.ts';
import type { Findings } from './check.ts';
import type { Client } from './session.ts';

/** Whether the server's own collations that single columns of the backup use are there; what the backup made itself comes with it. */
export async function checkCollations(client: Client, { requires }: Manifest, { unsure }: Findings): Promise<void> {
  const wanted = (requires.collations ?? []).filter(({ schema }) => schema === 'pg_catalog').map(({ name }) => name);
  if (wanted.length === 0) return;
  const { rows } = await client.query<{ name: string }>(
    `SELECT collname::text AS name FROM pg_collation WHERE collnamespace = 'pg_catalog'::regnamespace AND collname = ANY ($1::text[])`,
    [wanted],
  );
  for (const name of wanted.filter((each) => !rows.some((row) => row.name === each))) {
    unsure.push({
      object: `collation ${name}`,
      message: 'the backup uses it, and the server has none of this name',
      hint: 'A server has the collations of the locales that its machine had when it was made: install the locale, or let the drill use a server like the source (drill.target).',
    });
  }
}
