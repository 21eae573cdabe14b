// Writes docs/configuration.md, config/default.json and config/.env.example from the list of settings.
import { writeFile } from 'node:fs/promises';

import { configurationDocuments } from './configuration-documents.ts';

for (const [path, content] of configurationDocuments()) {
  await writeFile(new URL(`../${path}`, import.meta.url), content);
  console.log(`wrote ${path}`);
}
