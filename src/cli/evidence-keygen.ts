import { open } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { BackupError } from '../errors.ts';
import { generateKey } from '../report/evidence-key.ts';
import { onDisk } from '../storage/disk-error.ts';
import { PRIVATE, syncFolder } from '../storage/disk-folder.ts';
import type { CommandContext } from './command.ts';

/** Makes a key: the private half into a new file for this account only, the public half on standard output. */
export async function evidenceKeygen({ print, note }: CommandContext, file: string): Promise<number> {
  const path = resolve(file);
  const { privatePem, publicKey } = generateKey();
  await onDisk('create', path, async () => {
    const handle = await open(path, 'wx', PRIVATE.file).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      throw new BackupError('USAGE', `${path} exists; nothing was changed`, {
        hint: 'A key that has signed entries is needed for as long as they are. Give another file name.',
      });
    });
    try {
      await handle.writeFile(privatePem);
      await handle.sync();
    } finally {
      await handle.close();
    }
  });
  await syncFolder(dirname(path));
  print(
    { privateKeyFile: path, publicKey: publicKey.pem, fingerprint: publicKey.fingerprint },
    publicKey.pem.trimEnd().split('\n'),
  );
  note(
    [
      `The private key is in ${path}. Set EVIDENCE_KEY_FILE=${path} for the daemon and for every backup-manager that makes backups.`,
      `Give the public key above (fingerprint ${publicKey.fingerprint}) to whoever verifies, and keep a copy where this machine cannot write.`,
    ].join('\n'),
  );
  return 0;
}
