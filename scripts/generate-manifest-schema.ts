// Writes docs/schemas/manifest.schema.json from the schema in the source; a test holds the two equal.
import { writeFile } from 'node:fs/promises';
import { manifestSchema } from '../src/catalog/manifest-schema.ts';

await writeFile(new URL('../docs/schemas/manifest.schema.json', import.meta.url), `${JSON.stringify(manifestSchema, null, 2)}\n`);
