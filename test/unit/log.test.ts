import { expect, test } from '@jest/globals';

import { createRedactor } from '../../src/config/secrets.ts';
import { createLog, type Log } from '../../src/log.ts';

function logged(secrets: readonly string[], write: (log: Log) => void): { line: string; json: Record<string, unknown> } {
  const lines: string[] = [];
  write(createLog('info', { redact: createRedactor(secrets), destination: { write: (line) => lines.push(line) } }));
  expect(lines).toHaveLength(1);
  return { line: lines[0]!, json: JSON.parse(lines[0]!) };
}

test('a line is JSON with level, time and message', () => {
  const { json } = logged([], (log) => log.info({ rows: 3 }, 'dumped'));
  expect(json).toMatchObject({ level: 'info', msg: 'dumped', rows: 3, time: expect.stringMatching(/^\d{4}-.*Z$/) });
});

test('what is less important than asked for is not written', () => {
  const lines: string[] = [];
  createLog('warn', { destination: { write: (line) => lines.push(line) } }).info('no');
  expect(lines).toEqual([]);
});

test('a property that is named as a secret is masked, at whatever depth', () => {
  const connection = { host: 'h', password: 'pw' };
  const { json } = logged([], (log) => log.info({ connection, deep: { env: { PGPASSWORD: 'pw' } }, password: 'pw' }));
  expect(json).toMatchObject({
    connection: { host: 'h', password: '***' },
    deep: { env: { PGPASSWORD: '***' } },
    password: '***',
  });
});

test('the value of a secret is masked in messages, errors and their causes, and encoded in addresses', () => {
  const secret = 'p"ä\\ss/1';
  const error = new Error(`no login with ${secret}`, { cause: new Error(`nor with ${encodeURIComponent(secret)}`) });
  const { line, json } = logged([secret], (log) => log.error({ err: error, list: [`x${secret}`] }, `failed: ${secret}`));
  expect(json).toMatchObject({ msg: 'failed: ***', list: ['x***'] });
  expect(JSON.stringify(json)).not.toContain('ss/1');
  expect(line).not.toContain(encodeURIComponent(secret));
});

test('a secret that looks like a key or a number of the line leaves it valid', () => {
  const { json } = logged(['level', '12345', '{"a":'], (log) => log.info({ rows: 12345, ':"': '{"a":' }, 'level 12345'));
  expect(json).toMatchObject({ level: 'info', rows: 12345, msg: '*** ***', ':"': '***' });
});
