import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, sign, verify, type KeyObject } from 'node:crypto';
import { BackupError } from '../errors.ts';

/** Signs entries. */
export interface SigningKey {
  /** Of its public half. */
  readonly fingerprint: string;
  readonly public: PublicKey;
  /** Base64. */
  sign(bytes: Uint8Array): string;
}

/** Checks signatures. */
export interface PublicKey {
  /** The first 16 hex digits of the SHA-256 of the key in DER (SubjectPublicKeyInfo), as `openssl pkey -pubin -outform DER` writes it. */
  readonly fingerprint: string;
  readonly pem: string;
  verifies(bytes: Uint8Array, signature: string): boolean;
}

const HOW = 'Make one with `backup-manager evidence keygen FILE` or `openssl genpkey -algorithm ed25519`.';
const BLOCK = /-----BEGIN PUBLIC KEY-----[^-]+-----END PUBLIC KEY-----/g;

/** A new Ed25519 key; the private half as PKCS #8. */
export function generateKey(): { readonly privatePem: string; readonly publicKey: PublicKey } {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  return { privatePem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), publicKey: wrap(publicKey) };
}

/** Throws `CONFIG_INVALID` for what is no Ed25519 private key in PEM; the message never quotes it. */
export function readSigningKey(pem: string): SigningKey {
  let key: KeyObject;
  try {
    // A secret store or an env file may have put the lines into one.
    key = createPrivateKey(pem.replaceAll('\\n', '\n'));
  } catch (cause) {
    throw notAKey('the evidence key (EVIDENCE_KEY, EVIDENCE_KEY_FILE) is no private key in PEM', cause);
  }
  if (key.asymmetricKeyType !== 'ed25519') {
    throw notAKey(`the evidence key (EVIDENCE_KEY, EVIDENCE_KEY_FILE) is of type ${key.asymmetricKeyType}, not ed25519`);
  }
  const publicKey = wrap(createPublicKey(key));
  return {
    fingerprint: publicKey.fingerprint,
    public: publicKey,
    sign: (bytes) => sign(null, bytes, key).toString('base64'),
  };
}

/** Every public key of a PEM text. Throws `USAGE` when there is none or one is not Ed25519. */
export function readPublicKeys(text: string, where: string): PublicKey[] {
  const blocks = text.match(BLOCK) ?? [];
  const keys = blocks.map((block) => {
    try {
      return createPublicKey(block);
    } catch {
      return undefined;
    }
  });
  if (keys.length > 0 && keys.every((key) => key?.asymmetricKeyType === 'ed25519')) return keys.map((key) => wrap(key!));
  throw new BackupError('USAGE', `${where} holds no Ed25519 public key in PEM; nothing was checked`, {
    hint: 'It begins with -----BEGIN PUBLIC KEY-----. `openssl pkey -in PRIVATE -pubout` writes it from the private key.',
  });
}

function wrap(key: KeyObject): PublicKey {
  const der = key.export({ type: 'spki', format: 'der' });
  return {
    fingerprint: createHash('sha256').update(der).digest('hex').slice(0, 16),
    pem: key.export({ type: 'spki', format: 'pem' }).toString(),
    verifies: (bytes, signature) => verify(null, bytes, key, Buffer.from(signature, 'base64')),
  };
}

function notAKey(message: string, cause?: unknown): BackupError {
  return new BackupError('CONFIG_INVALID', message, { hint: HOW, ...(cause === undefined ? {} : { cause }) });
}
